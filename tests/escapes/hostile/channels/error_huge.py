# what: An exception with an endless message and a traceback of a million frames.
# expect: status=error|memory_limit|output_limit
# flags: --timeout 20s
# wall_ms_max: 15000
# supervisor_rss_max: 32m
raise ValueError("m" * 50_000_000)
