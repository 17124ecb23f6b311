# what: Sends itself the signal of the processor time limit.
# expect: status=error
# signal: 24
import os
import signal

signal.signal(signal.SIGXCPU, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGXCPU)
