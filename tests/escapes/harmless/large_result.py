# what: A result just below its limit.
# result_length: 1000002
result = "x" * 1_000_000
