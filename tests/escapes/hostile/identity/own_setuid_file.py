# what: Makes a setuid copy of a program of its own and a file capability, and runs them.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=modes cannot be changed here (shutil.copy), so the program ends with the refusal
import shutil
import subprocess

for folder in ("/workspace", "/tmp", "/dev/shm"):
    path = folder + "/copy"
    shutil.copy("/usr/bin/id", path)
    answer = outcome(lambda: os.chmod(path, 0o6755))
    attempts.evidence[folder + " chmod 6755"] = answer[1] or oct(os.stat(path).st_mode)
    try:
        done = subprocess.run([path, "-u"], capture_output=True, text=True)
        attempts.holds(folder + " run", done.stdout.strip() == "1000", done.stdout + done.stderr)
    except OSError as error:
        attempts.holds(folder + " run", True, str(error))
    capability = b"\x01\x00\x00\x02" + b"\xff" * 16
    attempts.failed(folder + " file capability",
                    outcome(lambda: os.setxattr(path, "security.capability", capability)))
result = attempts.result()
