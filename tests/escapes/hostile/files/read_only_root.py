# what: Writes everywhere in the root: system folders, /etc, /dev, the interpreter and its byte code caches.
# expect: contained
# uses: attempts
import json
import sys

places = ["/", "/usr", "/usr/bin", "/etc", "/dev", "/casemate", "/code", "/proc", os.path.dirname(json.__file__),
          os.path.dirname(os.path.realpath(sys.executable)), os.path.join(os.path.dirname(json.__file__), "__pycache__")]
for place in places:
    path = os.path.join(place, "planted")
    attempts.failed(f"create in {place}", outcome(lambda: os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)))
    attempts.failed(f"mkdir in {place}", outcome(lambda: os.mkdir(path)))
    attempts.failed(f"symlink in {place}", outcome(lambda: os.symlink("/", path)))
for path in ("/etc/passwd", "/etc/hosts", "/etc/resolv.conf", "/etc/ld.so.cache", "/usr/bin/env", json.__file__,
             os.path.realpath(sys.executable)):
    attempts.failed(f"write {path}", outcome(lambda: os.open(path, os.O_WRONLY)))
    attempts.failed(f"chmod {path}", outcome(lambda: os.chmod(path, 0o777)))
    attempts.failed(f"utime {path}", outcome(lambda: os.utime(path)))
    attempts.failed(f"unlink {path}", outcome(lambda: os.unlink(path)))
    attempts.failed(f"rename {path}", outcome(lambda: os.rename(path, path + ".old")))
result = attempts.result()
