# what: A result of 200 MB.
# expect: status=result_invalid|memory_limit
# flags: --memory 1g --timeout 20s
# supervisor_rss_max: 24m
result = "x" * 200_000_000
