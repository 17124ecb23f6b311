# what: Handlers, alarms, timers, pending and waited signals.
# expect_result: ["SIGALRM", "SIGUSR1", true, "interrupted"]
import os
import signal
import time

seen = []
signal.signal(signal.SIGALRM, lambda number, frame: seen.append(signal.Signals(number).name))
signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(signal.Signals(number).name))
signal.setitimer(signal.ITIMER_REAL, 0.05)
time.sleep(0.2)
os.kill(os.getpid(), signal.SIGUSR1)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
os.kill(os.getpid(), signal.SIGUSR2)
pending = signal.SIGUSR2 in signal.sigpending()
signal.sigwait([signal.SIGUSR2])
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
    last = "not interrupted"
except KeyboardInterrupt:
    last = "interrupted"
result = [*seen, pending, last]
