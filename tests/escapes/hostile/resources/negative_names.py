# what: Asks for millions of names that do not exist, which the kernel remembers.
# expect: contained|status=memory_limit
# uses: attempts
# flags: --memory 64m --timeout 20s
# wall_ms_max: 20000
# memory_peak_max: 68m
# in_microvm: expect=status=memory_limit|timeout|error|ok
# in_microvm: wall_ms_max=
# in_microvm: why=an emulated processor can take longer than the program has; the guest's memory is the bound
for index in range(300000):
    try:
        os.stat(f"/tmp/{index}-{'n' * 200}")
    except FileNotFoundError:
        continue
attempts.evidence["names"] = 300000
result = attempts.result()
