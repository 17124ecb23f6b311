# what: Looks for System V and POSIX shared memory, queues and semaphores of the host.
# expect: contained
# uses: attempts
# host: sysv_segment
# in_process: expect=status=error
# in_process: why=that folder cannot even be listed here, so the program ends with the refusal
segment, key = int(os.environ["PROBE_SYSV_ID"]), int(os.environ["PROBE_SYSV_KEY"])
attempts.failed("shmat by id", raw(30, segment, None, 0o10000))
attempts.failed("shmget by key", raw(29, key, 0, 0))
attempts.failed("shmctl", raw(31, segment, 2, ctypes.create_string_buffer(256)))
for index in range(64):
    if raw(31, index, 13, ctypes.create_string_buffer(256))[0] >= 0:
        attempts.holds(f"SHM_STAT {index}", False, "a segment that is not mine")
attempts.evidence["SHM_STAT"] = "64 looked at"
attempts.failed("mq_open", raw(240, b"host_queue", 0, 0, None))
attempts.holds("/dev/shm", not os.listdir("/dev/shm"), str(os.listdir("/dev/shm")))
result = attempts.result()
