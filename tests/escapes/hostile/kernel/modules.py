# what: Loads a kernel module or another kernel.
# expect: contained
# uses: attempts
# Wrong magic numbers and empty images: where the wall is missing, these fail without harm.
image = bytes(4096)
for name, call in {"init_module": (175, image, 4096, b""), "finit_module": (313, 0, b"", 0), "delete_module": (176, b"x", 0),
                   "kexec_load": (246, 0, 0, None, 0), "kexec_file_load": (320, 0, 0, 0, b"", 0),
                   "create_module": (174, b"x", 1), "query_module": (178, b"x", 1, None, 0, None),
                   "reboot": (169, 0, 0, 0, None), "iopl": (172, 3), "ioperm": (173, 0x80, 1, 1),
                   "modify_ldt": (154, 1, bytes(16), 16)}.items():
    attempts.refused(name, raw(*call))
result = attempts.result()
