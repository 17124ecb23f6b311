# what: Changes a workspace that was given read-only, also through descriptors, mappings and links.
# expect: contained
# uses: attempts
# host: workspace
# flags: --workspace {workspace}:ro
# host_check: workspace_unchanged
# in_microvm: expect=status=ok|error
# in_microvm: why=a guest has a copy, which the Landlock of its kernel (ABI 2) lets be cut short; the host's folder is out of reach
import mmap

path = "/workspace/input.txt"
attempts.holds("readable", open(path).read() == "of the workspace\n", "read")
for name, call in {
    "write": lambda: os.open(path, os.O_WRONLY),
    "truncate": lambda: os.truncate(path, 0),
    "unlink": lambda: os.unlink(path),
    "rename": lambda: os.rename(path, "/workspace/other"),
    "create": lambda: os.open("/workspace/new", os.O_CREAT | os.O_WRONLY),
    "mkdir": lambda: os.mkdir("/workspace/folder"),
    "chmod": lambda: os.chmod(path, 0o777),
    "chown": lambda: os.chown(path, 1000, 1000),
    "utime": lambda: os.utime(path, (1, 1)),
    "link": lambda: os.link(path, "/workspace/linked"),
    "setxattr": lambda: os.setxattr(path, "user.x", b"1"),
    "O_TMPFILE": lambda: os.open("/workspace", os.O_TMPFILE | os.O_RDWR),
}.items():
    attempts.failed(name, outcome(call))
descriptor = os.open(path, os.O_RDONLY)
attempts.failed("reopen", outcome(lambda: os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR)))
attempts.failed("shared mapping", outcome(lambda: bool(mmap.mmap(descriptor, 0, mmap.MAP_SHARED, mmap.PROT_WRITE))))
attempts.failed("fchmod", outcome(lambda: os.fchmod(descriptor, 0o777)))
attempts.failed("futimens", outcome(lambda: os.utime(descriptor, (1, 1))))
result = attempts.result()
