# what: Opens a userfaultfd, the usual way to win a kernel race, and a memfd_secret.
# expect: contained
# uses: attempts
for flags in (0, 1, 0o2000000, 0o2004001):
    attempts.refused(f"userfaultfd {flags}", raw(323, flags))
attempts.failed("/dev/userfaultfd", outcome(lambda: os.open("/dev/userfaultfd", os.O_RDWR)))
attempts.refused("memfd_secret", raw(447, 0))
result = attempts.result()
