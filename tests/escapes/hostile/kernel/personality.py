# what: Changes its personality: no address randomisation, executable data, another system's calls.
# expect: contained
# uses: attempts
for name, value in {"ADDR_NO_RANDOMIZE": 0x40000, "READ_IMPLIES_EXEC": 0x400000, "PER_LINUX32": 8, "ADDR_COMPAT_LAYOUT": 0x200000,
                    "MMAP_PAGE_ZERO": 0x100000, "PER_SVR4": 1}.items():
    attempts.refused(name, raw(135, value), also=("EINVAL",))
now = raw(135, 0xFFFFFFFF)
attempts.holds("unchanged", now[0] in (-1, 0), str(now))
result = attempts.result()
