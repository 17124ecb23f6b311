# what: Leaves a FIFO, a socket, an unreadable file and folder, a huge sparse file and a link loop for the collector.
# expect: contained
# uses: attempts
# flags: --collect ** --timeout 5s
# wall_ms_max: 5000
# in_process: expect=status=error
# in_process: why=no socket can be made here, so the program ends with the refusal
import socket

os.mkfifo("/workspace/fifo")
listener = socket.socket(socket.AF_UNIX)
listener.bind("/workspace/socket")
with open("/workspace/sparse", "wb") as file:
    attempts.evidence["sparse"] = outcome(lambda: os.ftruncate(file.fileno(), 1 << 40))[1] or "1 TiB"
open("/workspace/unreadable", "w").write("x")
os.chmod("/workspace/unreadable", 0)
os.mkdir("/workspace/closed")
open("/workspace/closed/file", "w").write("x")
os.chmod("/workspace/closed", 0)
os.symlink("loop_b", "/workspace/loop_a")
os.symlink("loop_a", "/workspace/loop_b")
os.symlink(".", "/workspace/circle")
open("/workspace/plain.txt", "w").write("collected\n")
attempts.evidence["made"] = sorted(os.listdir("/workspace"))
result = attempts.result()
