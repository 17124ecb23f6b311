# what: sys.exit with a message prints it and ends with 1.
# expect: status=error
# exit_code: 1
# stderr_contains: stopped because
import sys

sys.exit("stopped because")
