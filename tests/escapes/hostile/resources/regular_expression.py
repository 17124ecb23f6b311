# what: A regular expression that backtracks for ever while holding the interpreter's lock.
# expect: status=timeout|cpu_limit
# flags: --timeout 1s
# wall_ms_max: 2500
import re

re.match(r"(a+)+$", "a" * 60 + "b")
