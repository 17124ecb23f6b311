# what: Prints, and has a result.
# expect_result: {"sum": 6, "text": "grüße", "nothing": null, "yes": true}
# stdout: hello\n
print("hello")
result = {"sum": 1 + 2 + 3, "text": "grüße", "nothing": None, "yes": True}
