# what: Swallows every exception and sleeps again, in its exit handlers too.
# expect: status=timeout
# flags: --timeout 2s
# wall_ms_max: 3500
import atexit
import time


@atexit.register
def again():
    while True:
        try:
            time.sleep(1000)
        except BaseException:
            continue


raise SystemExit(0)
