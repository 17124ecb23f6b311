# what: A block of shared memory between two processes.
# expect_result: "written by the child"
# in_process: expect=status=error
# in_process: why=shared memory needs /dev/shm, and there is none
import multiprocessing
from multiprocessing import shared_memory


def child(name):
    block = shared_memory.SharedMemory(name=name)
    block.buf[:20] = b"written by the child"
    block.close()


block = shared_memory.SharedMemory(create=True, size=100)
process = multiprocessing.get_context("fork").Process(target=child, args=(block.name,))
process.start()
process.join()
result = bytes(block.buf[:20]).decode()
block.close()
block.unlink()
