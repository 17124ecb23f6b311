# what: Opens an io_uring, which makes system calls that no filter sees.
# expect: contained
# uses: attempts
# denial: syscall io_uring_setup
attempts.refused("setup", raw(425, 8, ctypes.create_string_buffer(120)))
attempts.refused("enter", raw(426, 0, 1, 0, 0, None, 0))
attempts.refused("register", raw(427, 0, 0, None, 0))
result = attempts.result()
