# what: Stops itself: the deadline must not wait for it to go on.
# expect: status=timeout
# flags: --timeout 2s
# wall_ms_max: 3500
# host_check: no_processes
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
print("ESCAPED: somebody let it go on")
