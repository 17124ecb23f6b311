# what: Starts threads until no more are given, and does not handle the refusal.
# expect: status=process_limit
# flags: --timeout 10s --pids-limit 32
# wall_ms_max: 12000
# host_check: no_processes
# in_gvisor: expect=status=timeout|error|ok
# in_gvisor: why=gVisor tells of its process limit to the program alone
import threading

while True:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
