# what: Sleeps for ever.
# expect: status=timeout
# flags: --timeout 1s
# wall_ms_max: 2500
import time

time.sleep(10**6)
