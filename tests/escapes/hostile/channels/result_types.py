# what: Results of types that are not data: bytes, sets, classes, functions, keys that are not text.
# expect: status=result_invalid
result = {"bytes": b"x", "set": {1}, (1, 2): 3, "class": object}
