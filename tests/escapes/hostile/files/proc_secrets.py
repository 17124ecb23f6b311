# what: Reads what the kernel tells about the host: kcore, symbols, keys, disks, command line, other processes.
# expect: contained
# uses: attempts
# in_gvisor: expect=status=ok
# in_gvisor: why=/proc is that of gVisor's own kernel
for name in ("kcore", "kallsyms", "keys", "key-users", "timer_list", "sched_debug", "interrupts", "iomem", "ioports",
             "cmdline", "config.gz", "diskstats", "partitions", "modules", "slabinfo", "vmallocinfo", "kpagecount",
             "kmsg", "net/tcp", "net/unix", "net/arp", "net/route", "sys/kernel/random/boot_id", "self/net/tcp",
             "self/net/unix", "scsi/scsi", "acpi/wakeup", "bus/pci/devices", "fs/ext4", "swaps", "locks", "cgroups"):
    path = "/proc/" + name

    def read():
        with open(path, "rb") as file:
            content = file.read(4096)
        # A network table of the sandbox's own empty namespace has its heading line only.
        if not content or (name.startswith(("net/", "self/net/")) and len(content.splitlines()) <= 1):
            raise OSError(errno.EACCES, "empty")
        return len(content)

    attempts.failed(path, outcome(read))
result = attempts.result()
