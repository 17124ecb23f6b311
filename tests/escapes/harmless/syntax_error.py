# what: A syntax error is the program's, with its line.
# expect: status=error
# exit_code: 1
# error_type: SyntaxError
# stderr_contains: line 8
# syntax: broken

def broken(:
