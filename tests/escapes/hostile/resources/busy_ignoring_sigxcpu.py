# what: Ignores the signal that announces the end of its processor time, and works in a C loop.
# expect: status=cpu_limit
# flags: --cpu-time 1s --timeout 20s
# wall_ms_max: 5000
import hashlib
import signal

signal.signal(signal.SIGXCPU, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGXCPU, signal.SIGTERM, signal.SIGINT])
hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2**30)
