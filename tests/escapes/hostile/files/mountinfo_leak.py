# what: Reads the mount tables for paths of the host beyond the documented read-only binds.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=that file is closed here, so the program ends with the refusal
# in_docker: expect=status=ok
# in_docker: why=Docker lists the image's overlay and a masked /sys; no path of the host's but the engine's own data folder
# in_gvisor: expect=status=ok
# in_gvisor: why=the mounts are those of gVisor's own kernel
# in_microvm: expect=status=ok
# in_microvm: why=the mounts are those of the guest's own kernel
import sys

documented = ["/usr", "/bin", "/lib", "/lib64", "/sbin", "/etc", "/dev",
              os.path.realpath(sys.prefix), os.path.realpath(sys.base_prefix)]
for table in ("mountinfo", "mounts", "mountstats"):
    try:
        content = open(f"/proc/self/{table}").read()
    except OSError as error:
        attempts.holds(table, True, error.strerror)
        continue
    secret = os.environ["PROBE_SECRET_PATH"]
    words = [word for word in (os.path.dirname(secret), os.environ["PROBE_STATE_DIR"]) if word in content]
    attempts.holds(table, not words, f"{len(content.splitlines())} lines; of the host: {words}")
for line in open("/proc/self/mountinfo"):
    fields = line.split()
    kind = fields[fields.index("-") + 1]
    if kind in ("tmpfs", "proc", "mqueue"):
        continue
    root, place = fields[3], fields[4]
    ours = any(place == path or place.startswith(path + "/") for path in documented)
    attempts.holds(f"{kind} {place}", ours and place != "/", f"root {root}")
    writable = "rw" in fields[5].split(",")
    attempts.holds(f"{place} is read-only", not writable or place.startswith("/dev/"), fields[5])
result = attempts.result()
