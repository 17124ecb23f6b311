# what: Looks for a device beyond the documented few, and makes its own.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=that folder cannot even be listed here, so the program ends with the refusal
# in_docker: expect=status=ok
# in_docker: why=Docker gives a pseudo-terminal file system of the container's own, with its /dev/ptmx
# in_gvisor: expect=status=ok
# in_gvisor: why=the devices are those of gVisor's own kernel
import stat

allowed = {"null", "zero", "full", "random", "urandom", "stdin", "stdout", "stderr", "fd", "shm", "tty", "pts", "ptmx",
           "mqueue"}
attempts.holds("/dev", set(os.listdir("/dev")) <= allowed, str(sorted(os.listdir("/dev"))))
for name in ("mem", "kmem", "port", "kmsg", "kvm", "fuse", "loop0", "loop-control", "sda", "vda", "net/tun", "tty",
             "console", "ptmx", "hpet", "cpu/0/msr", "vhost-net", "uinput", "snapshot", "input/event0", "rtc0"):
    attempts.failed("/dev/" + name, outcome(lambda: os.open("/dev/" + name, os.O_RDONLY | os.O_NONBLOCK)))
for folder in ("/workspace", "/tmp", "/dev/shm", "/dev"):
    for name, mode, major, minor in (("mem", stat.S_IFCHR, 1, 1), ("vda", stat.S_IFBLK, 254, 0),
                                     ("null", stat.S_IFCHR, 1, 3), ("fuse", stat.S_IFCHR, 10, 229)):
        path = f"{folder}/made_{name}"
        attempts.failed(f"mknod {path}", outcome(lambda: os.mknod(path, mode | 0o666, os.makedev(major, minor))))
attempts.failed("overlay whiteout", outcome(lambda: os.mknod("/workspace/whiteout", stat.S_IFCHR | 0o600, 0)))
result = attempts.result()
