# what: Arguments with spaces, dashes and nothing in them.
# args: one --two 3 -x
# expect_result: ["one", "--two", "3", "-x"]
import sys

result = sys.argv[1:]
