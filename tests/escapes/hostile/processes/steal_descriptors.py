# what: Copies descriptors out of the init with pidfd_getfd and out of its /proc folder.
# expect: contained
# uses: attempts
descriptor = raw(434, 1, 0)
attempts.evidence["pidfd_open(1)"] = descriptor[1] or "open"
for number in (0, 1, 2, 3, 4, 5, 1100, 1101):
    attempts.refused(f"pidfd_getfd {number}", raw(438, max(descriptor[0], 0), number, 0))
    attempts.failed(f"/proc/1/fd/{number}", outcome(lambda: os.open(f"/proc/1/fd/{number}", os.O_RDONLY)))
own = raw(434, os.getpid(), 0)
attempts.refused("pidfd_getfd of itself", raw(438, max(own[0], 0), 1, 0))
result = attempts.result()
