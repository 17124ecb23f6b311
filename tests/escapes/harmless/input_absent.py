# what: Without an input, INPUT_DATA is None.
# expect_result: [true, true]
result = [INPUT_DATA is None, "INPUT_DATA" in globals()]
