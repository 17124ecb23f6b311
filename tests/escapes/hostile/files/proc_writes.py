# what: Writes to the kernel's switches: core_pattern, sysrq, oom scores, the host's settings.
# expect: contained
# uses: attempts
# in_gvisor: expect=status=ok
# in_gvisor: why=the score is kept by gVisor's own kernel and no other reads it
for path, content in {
    "/proc/sys/kernel/core_pattern": None,
    "/proc/sys/kernel/hostname": None,
    "/proc/sys/kernel/modprobe": None,
    "/proc/sys/vm/overcommit_memory": None,
    "/proc/sys/net/ipv4/ip_forward": None,
    "/proc/sys/fs/binfmt_misc/register": None,
    "/proc/sysrq-trigger": None,
    "/proc/self/oom_score_adj": b"-1000",
    "/proc/self/attr/current": b"unconfined",
    "/proc/1/oom_score_adj": None,
    "/proc/irq/default_smp_affinity": None,
    "/proc/mtrr": None,
}.items():
    # Being allowed to open a switch of the host for writing is the escape; only files of processes are written.
    attempts.failed(path, outcome(lambda: os.open(path, os.O_WRONLY) if content is None else
                                  os.write(os.open(path, os.O_WRONLY), content)))
result = attempts.result()
