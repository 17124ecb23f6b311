# what: Hunts descriptors from 0 to 65535 for anything of the host: folders, sockets, files, terminals.
# expect: contained
# uses: attempts
# in_gvisor: expect=status=ok
# in_gvisor: why=gVisor calls the pipes host:[N], which is no path
import stat

open_ones = {}
for number in range(65536):
    try:
        mode = os.fstat(number).st_mode
    except OSError:
        continue
    try:
        name = os.readlink(f"/proc/self/fd/{number}")
    except OSError as error:
        name = error.strerror
    open_ones[number] = (stat.S_IFMT(mode), name)
attempts.evidence["open"] = {str(number): name for number, (_, name) in open_ones.items()}
attempts.holds("numbers", set(open_ones) <= {0, 1, 2, 1100, 1101}, str(sorted(open_ones)))
attempts.holds("no folder", not any(kind == stat.S_IFDIR for kind, _ in open_ones.values()), "looked at each")
attempts.holds("no path of the host", all(name.startswith(("pipe:", "socket:", "/dev/null"))
                                          for _, name in open_ones.values()), "looked at each")
for number in open_ones:
    attempts.failed(f"fchdir {number}", outcome(lambda: os.fchdir(number)))
    attempts.failed(f"openat {number}", outcome(lambda: os.open("../../../etc/shadow", os.O_RDONLY, dir_fd=number)))
    attempts.holds(f"isatty {number}", not os.isatty(number), False)
result = attempts.result()
