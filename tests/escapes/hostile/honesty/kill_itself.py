# what: Kills itself with SIGKILL, as the kernel does when memory ends.
# expect: status=error
# signal: 9
import os

os.kill(os.getpid(), 9)
