# what: A result with a lone surrogate, which is not UTF-8.
# expect: status=result_invalid
result = {"text": "\ud800"}
