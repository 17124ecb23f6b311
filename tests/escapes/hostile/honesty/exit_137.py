# what: Exits with 137, the code that others report for memory.
# expect: status=error
# exit_code: 137
raise SystemExit(137)
