# what: Reads the id maps for a way to host root and rewrites them.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=that file is closed here, so the program ends with the refusal
# in_docker: rests_on=identity
# in_docker: why=an engine without userns-remap has no user namespace
# in_gvisor: expect=status=ok
# in_gvisor: why=the user namespace around gVisor is not to be seen from inside it
# in_microvm: expect=status=ok
# in_microvm: why=a guest has a kernel of its own, and needs no user namespace around the program
for kind in ("uid_map", "gid_map"):
    rows = [[int(word) for word in line.split()] for line in open(f"/proc/self/{kind}")]
    program = [row for row in rows if row[0] <= 1000 < row[0] + row[2]]
    outside = [row[1] + 1000 - row[0] for row in program]
    attempts.holds(f"{kind}: my id outside is not 0", len(outside) == 1 and outside[0] != 0, str(rows))
    attempts.holds(f"{kind}: not the host's whole range", all(row[2] < 65536 for row in rows), str(rows))
    attempts.failed(f"write {kind}", outcome(lambda: os.write(os.open(f"/proc/self/{kind}", os.O_WRONLY), b"0 0 1")))
attempts.failed("write setgroups",
                outcome(lambda: os.write(os.open("/proc/self/setgroups", os.O_WRONLY), b"allow")))
result = attempts.result()
