# what: Raises each of its resource limits, its own and the init's.
# expect: contained
# uses: attempts
import resource

for name in ("NOFILE", "NPROC", "FSIZE", "CORE", "MEMLOCK", "NICE", "RTPRIO", "SIGPENDING", "MSGQUEUE"):
    number = getattr(resource, "RLIMIT_" + name)
    soft, hard = resource.getrlimit(number)
    if hard == resource.RLIM_INFINITY:
        attempts.evidence[name] = "unlimited; held elsewhere"
        continue
    try:
        resource.setrlimit(number, (hard, hard + 1))
        attempts.holds(name, False, "raised")
    except (ValueError, OSError) as error:
        attempts.holds(name, True, f"{hard}: {error}")
bounded = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name))[1] for name in ("NOFILE", "CORE", "MEMLOCK")}
attempts.holds("bounded", bounded["NOFILE"] == 1024 and bounded["CORE"] == 1, str(bounded))
limit = (ctypes.c_uint64 * 2)(2**63, 2**63)
attempts.failed("prlimit(1)", raw(302, 1, resource.RLIMIT_NOFILE, limit, None))
result = attempts.result()
