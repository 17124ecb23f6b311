# what: Makes denied calls as fast as it can, so that the supervisor drowns in answering them.
# expect: contained|status=denied
# uses: attempts
# flags: --timeout 30s
# wall_ms_max: 25000
# supervisor_rss_max: 24m
for _ in range(200000):
    answer = raw(165, None, None, None, 0, None)
attempts.refused("the last one", answer)
attempts.refused("another kind", raw(272, 0x10000000))
result = attempts.result()
