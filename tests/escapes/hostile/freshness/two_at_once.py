# what: Two runs at the same time look for each other in every place where they could meet.
# expect: contained
# uses: attempts
# runs: 2 at once
# in_process: expect=status=error
# in_process: why=no socket can be made here, so the program ends with the refusal
import socket
import time

name = b"\0meeting-point"
own = socket.socket(socket.AF_UNIX)
attempts.holds("abstract name is free", outcome(lambda: own.bind(name))[0] >= 0, "bound")
for folder in ("/tmp", "/dev/shm", "/workspace"):
    attempts.holds(folder, not os.listdir(folder), str(os.listdir(folder)))
    open(f"{folder}/met", "w").write("here")
attempts.holds("segment", raw(29, 0x7A5F, 4096, 0o3666)[0] >= 0, "made, exclusively")
deadline = time.monotonic() + 1.5
while time.monotonic() < deadline:
    others = {int(entry) for entry in os.listdir("/proc") if entry.isdigit()} - {1, os.getpid()}
    if others:
        attempts.holds("processes", False, str(others))
        break
    time.sleep(0.05)
result = attempts.result()
