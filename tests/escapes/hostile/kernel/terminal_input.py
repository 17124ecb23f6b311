# what: Pushes input to the caller's terminal, with bits above the 32 that the kernel reads.
# expect: contained
# uses: attempts
character = ctypes.create_string_buffer(b"x")
for name, request in {"TIOCSTI": 0x5412, "TIOCLINUX": 0x541C, "TIOCSTI with high bits": 0x5412 | 1 << 32,
                      "TIOCLINUX with high bits": 0x541C | 0xFFFFFFFF << 32, "TIOCCONS": 0x541D}.items():
    for descriptor in (0, 1, 2):
        attempts.refused(f"{name} {descriptor}", raw(16, descriptor, request, character),
                         also=("ENOTTY",) if name == "TIOCCONS" else ())
attempts.failed("/dev/tty", outcome(lambda: os.open("/dev/tty", os.O_RDWR)))
attempts.holds("session", os.getsid(0) >= 0 and outcome(lambda: os.tcgetpgrp(0))[0] < 0, "no terminal")
result = attempts.result()
