# what: Opens files by handle, which passes every mount (the "shocker" escape).
# expect: contained
# uses: attempts
import struct

handle = struct.pack("IiQ", 8, 1, 2).ljust(32, b"\0")
for number in (0, 1, 2):
    attempts.refused(f"open_by_handle_at {number}", raw(304, number, handle, os.O_RDONLY))
directory = os.open("/usr", os.O_RDONLY)
attempts.refused("open_by_handle_at /usr", raw(304, directory, handle, os.O_RDONLY))
attempts.refused("name_to_handle_at", raw(303, -100, b"/usr", ctypes.create_string_buffer(handle, 160),
                                          ctypes.c_int(), 0))
attempts.refused("fanotify_init", raw(300, 0, 0))
attempts.refused("fanotify_mark", raw(301, 0, 1, 1, -100, b"/"))
result = attempts.result()
