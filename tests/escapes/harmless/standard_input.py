# what: Reads what it was given on stdin.
# flags: -i
# stdin: first\nsecond\n
# expect_result: ["first\n", "second\n", ""]
import sys

result = [sys.stdin.readline(), input() + "\n", sys.stdin.read()]
