# what: An exception names the program's own line, and nothing of the harness.
# expect: status=error
# exit_code: 1
# error_type: ZeroDivisionError
# stderr_contains: return 1 / number
# stderr_contains: ZeroDivisionError: division by zero
# forbid: harness


def divide(number):
    return 1 / number


divide(0)
