# what: A daemon grows and shrinks a file while the collector reads it.
# expect: contained
# uses: attempts
# flags: --collect ** --timeout 10s --tmp-size 32m
# wall_ms_max: 6000
# supervisor_rss_max: 64m
# host_check: no_processes
descriptor = os.open("/workspace/file", os.O_CREAT | os.O_RDWR)
if os.fork() == 0:
    os.setsid()
    os.closerange(0, 3)
    while True:
        os.pwrite(descriptor, b"x" * (8 << 20), 0)
        os.ftruncate(descriptor, 0)
attempts.evidence["growing"] = "started"
result = attempts.result()
