# what: Python's own recursion limit is an exception that can be caught.
# expect_result: "RecursionError"


def down(n):
    return down(n + 1)


try:
    down(0)
except RecursionError as error:
    result = type(error).__name__
