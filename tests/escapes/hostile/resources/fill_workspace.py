# what: Fills /workspace with several files below the limit on one file.
# expect: status=disk_limit
# flags: --tmp-size 16m --timeout 20s
# wall_ms_max: 10000
index = 0
while True:
    with open(f"/workspace/fill{index}", "wb") as file:
        file.write(b"x" * (1 << 20))
    index += 1
