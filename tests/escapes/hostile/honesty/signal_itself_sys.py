# what: Sends itself the signal of a forbidden system call; from outside the two look the same.
# expect: status=error|denied
# signal: 31
import os
import signal

os.kill(os.getpid(), signal.SIGSYS)
