# what: A result that contains itself.
# expect: status=result_invalid
result = {}
result["itself"] = [result]
