# what: Exits with 124, the code that others report for a timeout.
# expect: status=error
# exit_code: 124
raise SystemExit(124)
