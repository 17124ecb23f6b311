# what: Fills /tmp.
# expect: status=disk_limit
# flags: --tmp-size 16m --timeout 20s
# wall_ms_max: 10000
with open("/tmp/fill", "wb") as file:
    while True:
        file.write(b"x" * (1 << 20))
