# what: Opens a socket of every family and type: netlink, packet, vsock, bluetooth, kernel crypto and all the others.
# expect: contained
# uses: attempts
# denial: syscall socket
UNIX, INET, INET6 = 1, 2, 10
for family in range(64):
    if family in (UNIX, INET, INET6):
        continue
    for kind in (1, 2, 3, 5):
        attempts.refused(f"family {family} type {kind}", raw(41, family, kind, 0), also=("EAFNOSUPPORT",))
        # The type's flags live in the same word: a filter must not be fooled by them.
    attempts.refused(f"family {family} with flags", raw(41, family, 3 | 0o2004000, 0), also=("EAFNOSUPPORT",))
for family in (16, 17, 38, 40):
    wide = family | (1 << 32)
    attempts.refused(f"family {family} with high bits", raw(41, wide, 3, 0), also=("EAFNOSUPPORT",))
    attempts.refused(f"socketpair {family}", raw(53, family, 1, 0, (ctypes.c_int * 2)()), also=("EAFNOSUPPORT",))
result = attempts.result()
