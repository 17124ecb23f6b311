# what: Raises TimeoutError and prints what a timeout looks like.
# expect: status=error
import sys

print("casemate: timeout after 30 s", file=sys.stderr)
raise TimeoutError("timed out")
