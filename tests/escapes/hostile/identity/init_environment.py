# what: Reads the environment, arguments, memory map and descriptors of the sandbox's init.
# expect: contained
# uses: attempts
# in_gvisor: expect=status=ok
# in_gvisor: why=gVisor shows the descriptors of a process that is not dumpable; init has none but its own two
for name in ("environ", "mem", "maps", "auxv", "stack", "syscall", "pagemap", "io"):
    def read(path=f"/proc/1/{name}"):
        with open(path, "rb") as file:
            content = file.read(65536)
        # An init whose file is readable but empty tells nothing.
        if not content:
            raise OSError(errno.EACCES, "empty")
        print(content)
        return 0

    attempts.failed(f"/proc/1/{name}", outcome(read))
for name in ("exe", "cwd", "root", "fd/0", "fd/1", "fd/3", "ns/mnt"):
    attempts.failed(f"readlink /proc/1/{name}", outcome(lambda: bool(os.readlink(f"/proc/1/{name}"))))
attempts.failed("listdir /proc/1/fd", outcome(lambda: len(os.listdir("/proc/1/fd"))))
attempts.failed("open /proc/1/root/etc", outcome(lambda: os.open("/proc/1/root/etc", os.O_RDONLY)))
result = attempts.result()
