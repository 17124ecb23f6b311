# what: Looks for /sys, cgroup files or a way to leave its cgroup.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=that folder cannot even be listed here, so the program ends with the refusal
# in_gvisor: expect=status=ok
# in_gvisor: why=/sys is that of gVisor's own kernel
# in_microvm: expect=status=ok
# in_microvm: why=the control group is one of the guest's own kernel
import glob

attempts.holds("/sys", not os.path.isdir("/sys") or not os.listdir("/sys"), "absent or empty")
for pattern in ("/sys/fs/cgroup*", "/sys/kernel/*", "/sys/class/net/*", "/sys/firmware/*", "/cgroup*"):
    attempts.holds(pattern, not glob.glob(pattern), str(glob.glob(pattern)[:3]))
for path in ("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
             "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/tasks"):
    attempts.failed(path, outcome(lambda: os.open(path, os.O_WRONLY)))
for kind in (b"cgroup", b"cgroup2", b"sysfs"):
    os.makedirs("/tmp/cg", exist_ok=True)
    attempts.refused("mount " + kind.decode(), raw(165, b"none", b"/tmp/cg", kind, 0, b"memory"))
try:
    own = open("/proc/self/cgroup").read()
    paths = {line.strip().split(":", 2)[2] for line in own.splitlines()}
    attempts.holds("own cgroup's path", paths <= {"/"}, own)
except OSError as error:
    attempts.holds("own cgroup's path", True, error.strerror)
result = attempts.result()
