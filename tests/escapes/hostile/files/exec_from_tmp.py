# what: Runs and maps code of its own from /tmp and /dev/shm, which are mounted without exec.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=modes cannot be changed here (shutil.copy), so the program ends with the refusal
# in_gvisor: expect=status=ok
# in_gvisor: why=gVisor does not show nodev among the flags of a mount; nosuid and noexec are there, and hold
import mmap
import shutil

for folder in ("/tmp", "/dev/shm"):
    path = folder + "/program"
    shutil.copy("/usr/bin/true", path)
    os.chmod(path, 0o755)
    attempts.holds(f"exec {path}", in_child(lambda: outcome(lambda: os.execv(path, [path]))[1] == "EACCES") == "exit 1",
                   "in a child")
    with open(path, "rb") as file:
        attempts.refused(f"map {path}", outcome(
            lambda: bool(mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC))))
    flags = {line.split()[4]: line.split()[5] for line in open("/proc/self/mountinfo")}.get(folder, "no mount")
    attempts.holds(f"{folder} flags", all(word in flags for word in ("noexec", "nosuid", "nodev")), flags)
result = attempts.result()
