# what: Opens descriptors without end.
# expect: contained
# uses: attempts
opened = []
try:
    while len(opened) < 100000:
        opened.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
    attempts.evidence["ended by"] = error.strerror
attempts.holds("count", 100 < len(opened) <= 1024, len(opened))
attempts.holds("highest number", max(opened) < 1024, max(opened))
attempts.failed("dup2 above", outcome(lambda: os.dup2(0, 5000)))
for descriptor in opened:
    os.close(descriptor)
result = attempts.result()
