# what: Exits with 125, Casemate's own code for its own failure.
# expect: status=error
# exit_code: 125
raise SystemExit(125)
