# what: Looks for a capability in any set, the bounding and ambient ones too, and tries to raise one.
# expect: contained
# uses: attempts
# in_process: rests_on=identity
# in_process: why=an ordinary user cannot empty the bounding set; no_new_privs keeps what is in it from being gained
PR_CAPBSET_READ, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAPGET, CAPSET, PRCTL = 23, 47, 2, 125, 126, 157


class Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


header = Header(0x20080522, 0)
sets = (ctypes.c_uint32 * 6)()
answer = raw(CAPGET, header, sets)
attempts.holds("capget", answer[0] == 0 and not any(sets), f"{answer} {list(sets)}")
bounding = {number: raw(PRCTL, PR_CAPBSET_READ, number)[0] for number in range(41)}
attempts.holds("bounding set", not any(value == 1 for value in bounding.values()), str(sum(bounding.values())))
full = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
attempts.failed("capset", raw(CAPSET, header, full))
attempts.failed("ambient raise", raw(PRCTL, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0))
lines = dict(line.split(":\t") for line in open("/proc/self/status").read().splitlines() if line.startswith("Cap"))
attempts.holds("status", len(lines) == 5 and all(int(value, 16) == 0 for value in lines.values()), str(lines))
result = attempts.result()
