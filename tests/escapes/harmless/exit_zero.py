# what: Ends early and well by SystemExit; what it had as result counts.
# expect_result: 1
import sys

result = 1
sys.exit()
