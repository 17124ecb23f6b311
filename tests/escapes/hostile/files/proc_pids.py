# what: Lists processes: sees another one than its own.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=that folder cannot even be listed here, so the program ends with the refusal
mine = {os.getpid()}
pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}
attempts.holds("/proc", pids <= mine | {1} and len(pids) >= 1, str(sorted(pids)))
attempts.holds("small pids", os.getpid() < 100 and os.getppid() <= 1, f"{os.getpid()} {os.getppid()}")
host = os.environ["PROBE_HOST_PID"]
attempts.failed(f"/proc/{host}", outcome(lambda: os.open(f"/proc/{host}", os.O_RDONLY)))
attempts.failed("/proc/1/cwd/", outcome(lambda: len(os.listdir("/proc/1/cwd/"))))
attempts.failed("/proc/1/task/1/environ", outcome(lambda: os.open("/proc/1/task/1/environ", os.O_RDONLY)))
result = attempts.result()
