# what: An allocation that can never work is refused at once and can be caught.
# expect_result: "MemoryError"
try:
    bytearray(1 << 50)
    result = "made"
except MemoryError as error:
    result = type(error).__name__
