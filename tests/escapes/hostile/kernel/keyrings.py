# what: Uses the kernel's keyrings, which outlive processes and may hold the caller's keys.
# expect: contained
# uses: attempts
# denial: syscall keyctl
SESSION, USER, USER_SESSION = -3, -4, -5
attempts.refused("add_key", raw(248, b"user", b"left", b"behind", 6, SESSION))
attempts.refused("request_key", raw(249, b"user", b"left", None, 0))
for name, ring in (("session", SESSION), ("user", USER), ("user session", USER_SESSION)):
    attempts.refused(f"describe {name}", raw(250, 6, ring, ctypes.create_string_buffer(256), 256))
    attempts.refused(f"read {name}", raw(250, 11, ring, ctypes.create_string_buffer(256), 256))
attempts.refused("join", raw(250, 1, None))
attempts.refused("persistent", raw(250, 22, -1, SESSION))
result = attempts.result()
