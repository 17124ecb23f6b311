# what: Keeps memory in the buffers of pipes.
# expect: contained|status=memory_limit|process_limit
# uses: attempts
# flags: --memory 64m --timeout 20s
# wall_ms_max: 20000
# memory_peak_max: 68m
# in_microvm: expect=status=memory_limit|timeout|error|ok
# in_microvm: why=an emulated processor can take longer than the program has; the guest's memory is the bound
import fcntl
import time

filled = 0
children = []
for _ in range(40):
    child = os.fork()
    if child == 0:
        held = []
        try:
            while True:
                reader, writer = os.pipe()
                held.append((reader, writer))
                try:
                    fcntl.fcntl(writer, 1031, 1 << 20)
                except OSError:
                    pass
                os.set_blocking(writer, False)
                try:
                    while True:
                        os.write(writer, b"x" * 65536)
                except BlockingIOError:
                    continue
        except OSError:
            time.sleep(5)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
attempts.evidence["children"] = len(children)
result = attempts.result()
