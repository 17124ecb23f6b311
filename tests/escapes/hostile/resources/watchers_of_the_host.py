# what: Takes all file watchers (inotify) of the host's user, who has 128 and to whom user namespaces count them up.
# expect: contained
# uses: attempts
# denial: syscall inotify_init1
# host_check: inotify_works
# in_docker: expect=status=ok
# in_docker: why=Docker's filter allows them, and counts them to the container's user
# in_gvisor: expect=status=ok
# in_gvisor: why=gVisor has watchers of its own
# in_microvm: expect=status=ok
# in_microvm: why=the guest's kernel has watchers of its own
attempts.refused("inotify_init1", raw(294, 0))
attempts.refused("inotify_init", raw(253))
attempts.refused("inotify_add_watch", raw(254, 0, b"/tmp", 0xFFF))
for count in range(200):
    if raw(294, 0)[0] < 0:
        break
attempts.holds("instances", count == 0, f"{count} were given")
result = attempts.result()
