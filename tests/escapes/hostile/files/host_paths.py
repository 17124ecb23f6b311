# what: Opens the folders and files of the host by their names.
# expect: contained
# uses: attempts
# in_gvisor: expect=status=ok
# in_gvisor: why=/sys is that of gVisor's own kernel
import sys

# The parents of an interpreter that lives below /root or /home exist, and hold nothing else.
interpreter = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
secret = os.environ["PROBE_SECRET_PATH"]
for path in (secret, os.path.dirname(secret), "/root/.ssh", "/root/.bashrc", "/var/log", "/var/lib/dpkg", "/run/systemd",
             "/srv/x", "/boot/vmlinuz", "/var/run/docker.sock", "/run/docker.sock", "/lost+found", "/media"):
    attempts.failed(path, outcome(lambda: os.open(path, os.O_RDONLY | os.O_NONBLOCK)))
for folder in ("/root", "/home", "/var", "/run", "/srv", "/mnt", "/opt", "/boot", "/sys"):
    if not os.path.isdir(folder):
        attempts.holds(folder, True, "absent")
        continue
    try:
        entries = os.listdir(folder)
    except OSError as error:
        attempts.holds(folder, True, error.strerror)
        continue
    # The place of a run's own secrets, of which this one has none.
    own = {prefix + "/" for prefix in interpreter} | {"/run/secrets/"}
    foreign = [name for name in entries if not any(path.startswith(f"{folder}/{name}/") for path in own)]
    attempts.holds(folder, not foreign, str(foreign[:10]))
result = attempts.result()
