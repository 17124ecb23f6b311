# what: Ignores and blocks every signal, threads included, and never ends.
# expect: status=timeout
# flags: --timeout 2s
# wall_ms_max: 3500
# host_check: no_processes
import signal
import threading
import time

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        continue
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
for _ in range(4):
    threading.Thread(target=lambda: time.sleep(1000)).start()
while True:
    try:
        time.sleep(1000)
    except BaseException:
        continue
