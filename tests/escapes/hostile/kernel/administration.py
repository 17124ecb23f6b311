# what: The calls of an administrator: swap, quotas, accounting, host name, kernel log, I/O ports, page moving.
# expect: contained
# uses: attempts
for name, call in {"swapon": (167, b"/workspace/swap", 0), "swapoff": (168, b"/x"), "acct": (163, b"/workspace/acct"),
                   "quotactl": (179, 0x80000100, b"/dev/vda", 0, ctypes.create_string_buffer(256)),
                   "quotactl_fd": (443, 0, 0x800007, 0, ctypes.create_string_buffer(256)),
                   "sethostname": (170, b"x" * 65, 65), "setdomainname": (171, b"x" * 65, 65),
                   "syslog read": (103, 3, ctypes.create_string_buffer(4096), 4096),
                   "vhangup": (153,), "lookup_dcookie": (212, 1, ctypes.create_string_buffer(64), 64),
                   "move_pages": (279, 1, 0, None, None, None, 0), "migrate_pages": (256, 1, 0, None, None),
                   "process_mrelease": (448, 0, 0), "lsm_set_self_attr": (460, 100, bytes(32), 32, 0)}.items():
    attempts.refused(name, raw(*call))
result = attempts.result()
