# what: Mappings of memory and of files, anonymous and shared.
# expect_result: ["shared", "in the file", true]
import mmap
import os

area = mmap.mmap(-1, 4096)
if os.fork() == 0:
    area[:6] = b"shared"
    os._exit(0)
os.wait()
with open("/workspace/file", "wb+") as file:
    file.truncate(4096)
    with mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:11] = b"in the file"
        mapped.flush()
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE)
code.close()
result = [area[:6].decode(), open("/workspace/file", "rb").read(11).decode(), code.closed]
