# what: Logging and warnings go to stderr, prints to stdout, in order.
# stdout: one\ntwo\n
# stderr_contains: WARNING:root:careful
# stderr_contains: DeprecationWarning: old
# expect_result: null
import logging
import warnings

print("one")
logging.warning("careful")
warnings.warn("old", DeprecationWarning)
print("two")
