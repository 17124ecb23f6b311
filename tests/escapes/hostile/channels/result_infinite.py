# what: A result that JSON cannot hold: infinity.
# expect: status=result_invalid
result = float("-inf")
