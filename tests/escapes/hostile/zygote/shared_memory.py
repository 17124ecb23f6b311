# what: Writes to the memory that cells share with their zygote, by every way that is not copied on write.
# expect: contained
# uses: attempts
# runs: 2
# in_process: expect=status=error
# in_process: why=the memory of the own process cannot be opened here at all, so the program ends with the refusal
# in_gvisor: expect=status=ok
# in_gvisor: why=gVisor lets a process open its own memory for writing, which it may write anyway
import re

MADV_REMOVE, MREMAP_MAYMOVE = 9, 1
MADVISE, MREMAP, REMAP_FILE_PAGES = 28, 25, 216

with open("/proc/self/maps") as maps:
    lines = [line.split(None, 5) for line in maps]
shared = [line for line in lines if len(line) == 6 and "zygote" in line[5]]
attempts.evidence["mappings"] = len(shared)  # none in a cold start
pattern = re.compile(b"left[ ]in[ ]the[ ]zygote")
found = 0
attempts.refused("memory as a file", outcome(lambda: os.open("/proc/self/mem", os.O_RDWR)))
memory = os.open("/proc/self/mem", os.O_RDONLY)
for bounds, rights, *_ in shared:
    attempts.holds(f"{bounds} is private", rights.endswith("p"), rights)
    start, end = (int(bound, 16) for bound in bounds.split("-"))
    found += len(pattern.findall(os.pread(memory, end - start, start)))
    file = f"/proc/self/map_files/{bounds}"
    attempts.failed(f"{bounds} as a file", outcome(lambda file=file: os.open(file, os.O_RDWR)))
    attempts.failed(f"{bounds} removed", raw(MADVISE, start, 4096, MADV_REMOVE))
    attempts.failed(f"{bounds} remapped", raw(REMAP_FILE_PAGES, start, 4096, 0, 1, 0))
    # An old size of 0 asks for a second mapping of the same pages, which only shared ones have (mremap(2)).
    attempts.failed(f"{bounds} twice", raw(MREMAP, start, 0, 4096, MREMAP_MAYMOVE))
attempts.holds("nothing of the run before", found == 0, found)
for descriptor in os.listdir("/proc/self/fd"):
    link = f"/proc/self/fd/{descriptor}"
    target = os.readlink(link) if os.path.islink(link) else "closed again"
    attempts.holds(f"descriptor {descriptor}", "zygote" not in target, target)
mark = " ".join(["left", "in", "the", "zygote"]).encode()
for bounds, *_ in shared:
    start = int(bounds.split("-")[0], 16)
    kept = ctypes.string_at(start, len(mark))
    ctypes.memmove(start, mark, len(mark))  # into this process's own copy
    ctypes.memmove(start, kept, len(mark))
held = [mark * 100 for _ in range(100)]
result = attempts.result()
