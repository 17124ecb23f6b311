# what: Makes itself the reaper of orphans and gives a child a death signal that should free it.
# expect: contained
# uses: attempts
# host_check: no_processes
# wall_ms_max: 4000
import time

attempts.evidence["subreaper"] = raw(157, 36, 1, 0, 0, 0)[1] or "set"
if os.fork() == 0:
    raw(157, 1, 0, 0, 0, 0)
    os.setsid()
    time.sleep(1000)
attempts.evidence["child"] = "started"
result = attempts.result()
