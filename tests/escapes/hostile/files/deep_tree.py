# what: A folder tree far deeper than PATH_MAX, so that cleaning up or collecting it fails.
# expect: contained
# uses: attempts
# flags: --collect ** --timeout 10s --tmp-size 64m
# wall_ms_max: 12000
# in_process: expect=status=error
# in_process: why=from the bottom of the first folder the runner's relative path leads to no second; that tree has to be removed all the same
depth = 0
for start in ("/workspace", "/tmp"):
    os.chdir(start)
    for _ in range(3000):
        try:
            os.mkdir("d" * 40)
            os.chdir("d" * 40)
        except OSError as error:
            attempts.evidence[start] = error.strerror
            break
        depth += 1
    open("bottom", "w").write("x")
attempts.evidence["depth"] = depth
attempts.holds("deeper than PATH_MAX", depth * 41 > 4096 * 2, depth)
result = attempts.result()
