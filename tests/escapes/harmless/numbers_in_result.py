# what: Numbers come back to the letter: large integers, small and large floats, negative zero.
# expect_result: [123456789012345678901234567890, -1, 1e+308, 5e-324, 0.1, -0.0, 1e+16]
# result_text: 123456789012345678901234567890
result = [123456789012345678901234567890, -1, 1e308, 5e-324, 0.1, -0.0, 1e16]
