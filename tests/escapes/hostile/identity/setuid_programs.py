# what: Runs the setuid programs of the host (su, mount, passwd, newuidmap...) and looks at who they became.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=that file is closed here, so the program ends with the refusal
# in_docker: expect=status=ok
# in_docker: why=Docker mounts the image without nosuid; it holds no setuid file, and no_new_privs makes one mean nothing
# in_gvisor: expect=status=ok
# in_gvisor: why=gVisor's root is mounted without nosuid; no_new_privs and an empty bounding set hold
import glob
import stat
import subprocess

privileged = [path for folder in ("/usr/bin", "/usr/sbin", "/usr/lib/openssh", "/usr/libexec")
              for path in glob.glob(folder + "/*")
              if os.path.isfile(path) and os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID)]
attempts.evidence["found"] = len(privileged)
# A setuid program that gained its owner's id would be non-dumpable and own its /proc folder otherwise.
for command in (["su", "-c", "id -u"], ["mount", "-t", "tmpfs", "none", "/tmp"], ["newuidmap", "1", "0", "0", "1"],
                ["passwd", "-S"], ["umount", "/tmp"], ["sudo", "-n", "id", "-u"], ["pkexec", "id", "-u"]):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=8)
        seen = f"exit {done.returncode}: {(done.stdout + done.stderr).strip()[-120:]}"
        held = done.returncode != 0 or (command[0] == "passwd" and "root" not in done.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        seen, held = str(error), True
    attempts.holds(" ".join(command), held, seen)
mounts = [line.split() for line in open("/proc/self/mountinfo")]
suid_mounts = [fields[4] for fields in mounts if "nosuid" not in fields[5].split(",")]
attempts.holds("mounts that honour setuid", not suid_mounts, str(suid_mounts))
result = attempts.result()
