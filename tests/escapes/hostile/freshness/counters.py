# what: Reads counters that tell what other runs did: pids, memory, time spent, boot.
# expect: contained
# uses: attempts
# runs: 2
# in_process: rests_on=pid_space
# in_process: why=process ids are the host's
# in_microvm: expect=status=ok
# in_microvm: why=the numbers of processes are those of the guest's own kernel, which begin anew in each
import resource
import time

held = bytearray(b"x" * (40 << 20))
attempts.holds("pid", os.getpid() < 20, os.getpid())
usage = resource.getrusage(resource.RUSAGE_SELF)
attempts.holds("own time", usage.ru_utime < 5, usage.ru_utime)
attempts.holds("process clock", time.process_time() < 5, time.process_time())
result = attempts.result()
