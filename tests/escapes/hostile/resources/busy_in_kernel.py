# what: Uses the kernel's time instead of its own: reads random bytes and zeros.
# expect: status=cpu_limit
# flags: --cpu-time 1s --timeout 20s
# wall_ms_max: 6000
buffer = bytearray(1 << 20)
with open("/dev/urandom", "rb", 0) as source:
    while True:
        source.readinto(buffer)
