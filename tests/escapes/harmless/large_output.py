# what: Output just below its limit, kept whole.
# expect_result: 1000000
# stdout_length: 1000000
import sys

result = sys.stdout.write("x" * 1_000_000)
