# what: Ends with its own exit code.
# expect: status=error
# exit_code: 3
# stdout: before\n
import sys

print("before")
sys.exit(3)
