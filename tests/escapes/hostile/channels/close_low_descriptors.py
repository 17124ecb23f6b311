# what: Closes and rewrites every descriptor from 0 to 1023: the result must not be reachable there.
# expect: status=ok|error
# expect_result: {"kept": true}
# wall_ms_max: 4000
import os

for number in range(3, 1024):
    try:
        os.write(number, b'{"forged": true}')
    except OSError:
        pass
    try:
        os.close(number)
    except OSError:
        pass
result = {"kept": True}
