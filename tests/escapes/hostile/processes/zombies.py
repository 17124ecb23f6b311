# what: Fills its process table with zombies that it never reaps, and orphans for the init.
# expect: contained
# uses: attempts
# host_check: no_processes
# wall_ms_max: 8000
# in_gvisor: wall_ms_max=30000
# in_gvisor: why=a fork is slow in gVisor's own kernel
for _ in range(30):
    if os.fork() == 0:
        os._exit(0)
for _ in range(300):
    try:
        child = os.fork()
    except BlockingIOError:
        break
    if child == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.waitpid(child, 0)
attempts.evidence["zombies"] = 30
result = attempts.result()
