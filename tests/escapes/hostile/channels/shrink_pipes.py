# what: Shrinks its output pipes, makes them non-blocking and asks for signals on them.
# expect: contained
# uses: attempts
import fcntl

for number in (1, 2, 1101):
    attempts.evidence[f"size {number}"] = outcome(lambda: fcntl.fcntl(number, 1031, 4096))[1] or "shrunk"
    attempts.evidence[f"flags {number}"] = outcome(lambda: fcntl.fcntl(number, fcntl.F_SETFL, os.O_NONBLOCK | 0o20000))[1] or "set"
    attempts.evidence[f"owner {number}"] = outcome(lambda: fcntl.fcntl(number, fcntl.F_SETOWN, 1))[1] or "set"
    fcntl.fcntl(number, fcntl.F_SETFL, 0)
    attempts.evidence[f"packets {number}"] = outcome(lambda: fcntl.fcntl(number, fcntl.F_SETFL, os.O_DIRECT))[1] or "set"
result = attempts.result()
