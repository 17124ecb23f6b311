# what: Signals processes of the host by their numbers.
# expect: contained
# uses: attempts
# in_process: rests_on=pid_space
# in_process: why=process ids of the host can be asked for here; none can be signalled
# in_microvm: expect=status=ok
# in_microvm: why=groups of processes that can be seen are the guest's own
reached = []
for pid in [int(os.environ["PROBE_HOST_PID"]), *range(3, 33000)]:
    if pid != os.getpid():
        try:
            os.kill(pid, 0)
            reached.append(pid)
        except ProcessLookupError:
            pass
        except PermissionError:
            reached.append(-pid)
attempts.holds("visible", not reached, str(reached[:20]))
attempts.failed("the runner", outcome(lambda: os.kill(int(os.environ["PROBE_HOST_PID"]), 0)))
attempts.failed("process group", outcome(lambda: os.killpg(int(os.environ["PROBE_HOST_PID"]), 0)))
result = attempts.result()
