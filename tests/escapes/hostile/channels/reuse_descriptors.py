# what: Puts a file of its own in place of the request and result descriptors, so that the harness writes there.
# expect: status=ok|error|result_invalid
# wall_ms_max: 4000
import os

for number in (1100, 1101):
    try:
        os.close(number)
    except OSError:
        pass
os.close(1)
os.open("/workspace/decoy", os.O_CREAT | os.O_RDWR)
result = {"anything": 1}
