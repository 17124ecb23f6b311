# what: A result nested far deeper than any reader's stack.
# expect: status=result_invalid
result = []
for _ in range(200000):
    result = [result]
