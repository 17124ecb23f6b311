# what: A child that is killed by its own parent must not be taken for an out-of-memory kill.
# expect: status=ok
# expect_result: "SIGKILL seen"
import os
import signal

child = os.fork()
if child == 0:
    signal.pause()
os.kill(child, signal.SIGKILL)
_, status = os.waitpid(child, 0)
result = "SIGKILL seen" if os.WTERMSIG(status) == 9 else status
