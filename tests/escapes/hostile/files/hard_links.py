# what: Hard links to files of the host, which would survive in a collected or shared folder.
# expect: contained
# uses: attempts
# flags: --collect **
import sys

for path in ("/usr/bin/env", "/etc/passwd", os.path.realpath(sys.executable), "/proc/self/environ"):
    for folder in ("/workspace", "/tmp", "/dev/shm"):
        name = f"{folder}/{os.path.basename(path)}"
        attempts.failed(f"{path} to {folder}", outcome(lambda: os.link(path, name)))
        attempts.failed(f"{path} to {folder}, by descriptor", outcome(
            lambda: os.link(f"/proc/self/fd/{os.open(path, os.O_RDONLY)}", name + ".2", follow_symlinks=True)))
result = attempts.result()
