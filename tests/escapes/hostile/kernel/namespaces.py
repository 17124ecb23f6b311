# what: Makes or joins a namespace by unshare, clone with each flag, clone3 and setns.
# expect: contained
# uses: attempts
# denial: syscall unshare
import signal

FLAGS = {"user": 0x10000000, "mnt": 0x20000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x8000000, "uts": 0x4000000,
         "cgroup": 0x2000000}
for name, flag in FLAGS.items():
    seen = in_child(lambda: 0 if raw(272, flag)[1] in REFUSED else 7)
    attempts.holds(f"unshare {name}", seen == "exit 0", seen)

    def clone(flags=flag):
        answer = raw(56, flags | signal.SIGCHLD, None, None, None, None)
        if answer[0] == 0:
            os._exit(0)
        if answer[0] > 0:
            os.waitpid(answer[0], 0)
        return answer

    attempts.refused(f"clone {name}", clone())
    attempts.refused(f"clone {name} with high bits", clone(flag | 1 << 40))
attempts.refused("clone user and all others", clone(sum(FLAGS.values())))
attempts.refused("unshare time", raw(272, 0x80))
for name in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup"):
    try:
        descriptor = os.open(f"/proc/self/ns/{name}", os.O_RDONLY)
    except OSError as error:
        attempts.evidence[f"open ns/{name}"] = error.strerror
        descriptor = 0
    attempts.refused(f"setns {name}", raw(308, descriptor, 0))
result = attempts.result()
