# what: Calls numbers that are unknown to the profile: new calls, gaps, retired ones.
# expect: contained
# uses: attempts
# wall_ms_max: 8000
answers = {}
RETIRED = [134, 136, 139, 156, 174, 177, 178, 180, 181, 182, 183, 184, 185, 205, 211, 212, 214, 215, 236]
# 335 and 336 are trampolines of the kernel's own probes, which no filter sees.
for number in [*RETIRED, *range(337, 424), *range(472, 600), 1000, 4095, 65535, 0x3FFFFFFF]:
    value, error = raw(number, 0, 0, 0, 0, 0, 0)
    answers[error or value] = answers.get(error or value, 0) + 1
    if value >= 0 or error not in REFUSED:
        attempts.holds(f"number {number}", False, error or value)
attempts.evidence["answers"] = {str(key): count for key, count in answers.items()}
result = attempts.result()
