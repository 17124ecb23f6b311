# what: Uses prctl to move its own image's limits, to be dumpable by others, or to speak for its supervisor.
# expect: contained
# uses: attempts
attempts.failed("PR_SET_MM start of stack", raw(157, 35, 5, 0x1000, 0, 0))
attempts.failed("PR_SET_MM exe file", raw(157, 35, 13, 0, 0, 0))
attempts.failed("PR_SET_SECUREBITS", raw(157, 28, 1, 0, 0, 0))
attempts.failed("PR_SET_TIMERSLACK of init", outcome(
    lambda: os.write(os.open("/proc/1/timerslack_ns", os.O_WRONLY), b"1")))
attempts.failed("PR_CAPBSET_DROP", raw(157, 24, 1, 0, 0, 0))
attempts.evidence["PR_SET_DUMPABLE"] = str(raw(157, 4, 1, 0, 0, 0))
result = attempts.result()
