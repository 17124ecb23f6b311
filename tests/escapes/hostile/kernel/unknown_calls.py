# what: Calls numbers that are unknown to the profile: new calls, gaps, retired ones.
# expect: contained
# uses: attempts
# wall_ms_max: 8000
answers = {}
RETIRED = [134, 136, 139, 156, 174, 177, 178, 180, 181, 182, 183, 184, 185, 205, 211, 212, 214, 215, 236]
for number in [*RETIRED, *range(335, 424), *range(472, 600), 1000, 4095, 65535, 0x7FFFFFFF]:
    if number in (335, 336):
        # Return probes: where they are let through they answer with a signal.
        seen = in_child(lambda: 0 if raw(number)[1] in REFUSED else 7)
        attempts.holds(f"number {number}", seen == "exit 0", seen)
        continue
    value, error = raw(number, 0, 0, 0, 0, 0, 0)
    answers[error or value] = answers.get(error or value, 0) + 1
    if value >= 0 or error not in REFUSED:
        attempts.holds(f"number {number}", False, error or value)
attempts.evidence["answers"] = {str(key): count for key, count in answers.items()}
result = attempts.result()
