# what: Maps more than the limit at once, populated by the kernel itself.
# expect: status=memory_limit
# rests_on: memory
# flags: --memory 64m --timeout 20s
# wall_ms_max: 15000
# memory_peak_max: 68m
import mmap

mapping = mmap.mmap(-1, 512 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_POPULATE", 0x8000))
for offset in range(0, len(mapping), 4096):
    mapping[offset] = 1
print("ESCAPED: 512 MiB mapped and touched")
