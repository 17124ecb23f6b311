# what: Forks, waits, exit codes, pipes to children, process groups.
# expect_result: [7, "child", 15, true]
import os
import signal

reader, writer = os.pipe()
first = os.fork()
if first == 0:
    os.write(writer, b"child")
    os._exit(7)
_, status = os.waitpid(first, 0)
second = os.fork()
if second == 0:
    os.setpgid(0, 0)
    signal.pause()
os.kill(second, signal.SIGTERM)
_, killed = os.waitpid(second, 0)
result = [os.WEXITSTATUS(status), os.read(reader, 10).decode(), os.WTERMSIG(killed), os.getpgrp() > 0]
