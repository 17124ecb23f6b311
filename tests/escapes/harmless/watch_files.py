# what: Watches a folder with inotify, or is told plainly that it cannot.
# expect_result: true
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
watcher = libc.inotify_init1(0o4000)
if watcher < 0:
    result = ctypes.get_errno() in (1, 13, 38)
else:
    libc.inotify_add_watch(watcher, b"/tmp", 0x100)
    open("/tmp/new", "w").close()
    result = b"new" in os.read(watcher, 4096)
