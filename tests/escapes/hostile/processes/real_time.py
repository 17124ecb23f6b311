# what: Asks for real-time scheduling, a higher priority and real-time disk access.
# expect: contained
# rests_on: identity
# uses: attempts
# in_gvisor: expect=status=ok
# in_gvisor: why=niceness is kept by gVisor's own kernel and is not the host's
# in_microvm: expect=status=ok
# in_microvm: why=niceness is kept by the guest's own kernel and is not the host's
import resource

for policy, name in ((os.SCHED_FIFO, "FIFO"), (os.SCHED_RR, "RR")):
    attempts.failed(f"SCHED_{name}", outcome(lambda: os.sched_setscheduler(0, policy, os.sched_param(50))))


class Attributes(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("policy", ctypes.c_uint32), ("flags", ctypes.c_uint64),
                ("nice", ctypes.c_int32), ("priority", ctypes.c_uint32), ("runtime", ctypes.c_uint64),
                ("deadline", ctypes.c_uint64), ("period", ctypes.c_uint64)]


attempts.failed("SCHED_DEADLINE", raw(314, 0, Attributes(48, 6, 0, 0, 0, 10**7, 10**8, 10**8), 0))
attempts.failed("nice -20", outcome(lambda: os.setpriority(os.PRIO_PROCESS, 0, -20)))
attempts.failed("nice of init", outcome(lambda: os.setpriority(os.PRIO_PROCESS, 1, 5)))
attempts.failed("ioprio real time", raw(251, 1, 0, 1 << 13))
attempts.holds("limits", resource.getrlimit(resource.RLIMIT_RTPRIO)[1] == 0, str(resource.getrlimit(resource.RLIMIT_RTPRIO)))
result = attempts.result()
