# what: Waits for input on stdin that nobody gives.
# expect: status=ok
# expect_result: ""
# flags: --timeout 5s
# wall_ms_max: 3000
import sys

result = sys.stdin.read()
