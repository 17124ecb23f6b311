# what: A result that JSON cannot hold: not a number.
# expect: status=result_invalid
result = {"a": [1, float("nan")]}
