# what: Enters the kernel with x32 call numbers, which a filter of x86_64 numbers may not know.
# expect: contained|status=denied
# uses: attempts
for name, number in {"getpid": 39, "mount": 165, "ptrace": 521, "unshare": 272, "execve": 520}.items():
    seen = in_child(lambda: 7 if raw(0x40000000 | number, 0, 0, 0, 0)[0] >= 0 else 0)
    attempts.holds(f"x32 {name}", seen != "exit 7", seen)
seen = in_child(lambda: 7 if raw(0xFFFFFFFF00000000 | 39)[0] >= 0 else 0)
attempts.evidence["high bits"] = seen
result = attempts.result()
