# what: An integer of a million digits, whose text takes quadratic time.
# expect: status=result_invalid|ok|error|timeout
# flags: --timeout 5s
# wall_ms_max: 8000
import sys

if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)
result = 1 << 3_000_000
