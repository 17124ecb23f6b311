# what: The same tree in a folder of the host that the caller shared for writing.
# expect: contained
# uses: attempts
# host: workspace
# flags: --workspace {workspace}:rw --collect ** --timeout 10s
# wall_ms_max: 12000
# in_microvm: expect=status=unavailable
# in_microvm: why=a guest cannot write to a folder of the host
os.chdir("/workspace")
depth = 0
while depth < 400:
    os.mkdir("d" * 40)
    os.chdir("d" * 40)
    depth += 1
attempts.evidence["depth"] = depth
result = attempts.result()
