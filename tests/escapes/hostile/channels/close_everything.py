# what: Closes every descriptor from 0 to 65535 and then has a result.
# expect: status=ok|error|result_invalid
# wall_ms_max: 4000
import os

for number in range(65536):
    try:
        os.close(number)
    except OSError:
        continue
result = "unheard"
