# what: Collects kernel objects: timers, event descriptors, epoll trees, inotify watches, locks, pending signals.
# expect: contained|status=memory_limit
# uses: attempts
# flags: --memory 64m --timeout 20s
# wall_ms_max: 20000
# host_check: inotify_works
import select
import signal

timer = ctypes.c_int()
for count in range(100000):
    value, error = raw(222, 1, None, timer)
    if value < 0:
        break
attempts.evidence["timers"] = f"{count} {error}"
watcher = raw(294, 0)
for count in range(100000 if watcher[0] >= 0 else 0):
    name = f"/tmp/w{count}"
    try:
        os.mkdir(name)
    except OSError:
        break
    value, error = raw(254, watcher[0], name.encode(), 0xFFF)
    if value < 0:
        break
attempts.evidence["watches"] = f"{watcher} {error}"
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
information = ctypes.create_string_buffer((34).to_bytes(4, "little") + bytes(4) + (-1 & 0xFFFFFFFF).to_bytes(4, "little"), 128)
for count in range(300000):
    value, error = raw(129, os.getpid(), int(signal.SIGRTMIN), information)
    if value < 0:
        break
attempts.evidence["signals"] = f"{count} {error}"
opened = []
try:
    while True:
        opened.append(select.epoll())
        opened[-1].register(opened[-2].fileno() if len(opened) > 1 else 0, select.EPOLLIN)
except OSError as error:
    attempts.evidence["epolls"] = f"{len(opened)} {error.strerror}"
result = attempts.result()
