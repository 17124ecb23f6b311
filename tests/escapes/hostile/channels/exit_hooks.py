# what: Changes the result after the program's end: exit handlers, destructors, threads, the exception hook.
# expect: status=ok|error|result_invalid
# wall_ms_max: 5000
import atexit
import os
import sys
import threading
import time


class Last:
    def __del__(self):
        os.write(1101, b'R\x08\0\0\0"forged"')


keep = Last()
atexit.register(lambda: os.write(1101, b'R\x08\0\0\0"forged"'))
sys.excepthook = lambda *a: os._exit(0)
threading.excepthook = lambda *a: os._exit(0)
threading.Thread(target=lambda: (time.sleep(0.2), os.write(1101, b"Z\0\0\0\0"))).start()
sys.stdout = sys.stderr = None
result = {"first": 1}
