# what: Leaves a setuid or setgid file in a folder of the host that the caller shared for writing.
# expect: contained
# uses: attempts
# host: workspace
# flags: --workspace {workspace}:rw
# host_check: no_setuid_left
# in_process: expect=status=error
# in_process: why=modes cannot be changed here (shutil.copy), so the program ends with the refusal
# in_microvm: expect=status=unavailable
# in_microvm: why=a guest cannot write to a folder of the host
import shutil

shutil.copy("/usr/bin/id", "/workspace/by_chmod")
attempts.evidence["chmod"] = outcome(lambda: os.chmod("/workspace/by_chmod", 0o6755))[1] or "made"
attempts.evidence["fchmod"] = outcome(
    lambda: os.fchmod(os.open("/workspace/by_chmod", os.O_RDONLY), 0o4755))[1] or "made"
attempts.evidence["open"] = outcome(
    lambda: os.open("/workspace/by_open", os.O_CREAT | os.O_WRONLY, 0o6755))[1] or "made"
attempts.evidence["mknod"] = outcome(lambda: os.mknod("/workspace/by_mknod", 0o104755))[1] or "made"
attempts.evidence["mkdir"] = outcome(lambda: os.mkdir("/workspace/by_mkdir", 0o2777))[1] or "made"
attempts.evidence["fchmodat2"] = raw(452, -100, b"/workspace/by_chmod", 0o6755, 0)[1] or "made"
attempts.evidence["creat"] = raw(85, b"/workspace/by_creat", 0o6755)[1] or "made"
attempts.failed("device", outcome(lambda: os.mknod("/workspace/device", 0o60666, os.makedev(254, 0))))
result = attempts.result()
