# what: Looks for a privileged user id, a spare group, or a way to change ids.
# expect: contained
# uses: attempts
# in_process: rests_on=identity
# in_process: why=an ordinary user's program has that user's id
# Without a user namespace the leased id is seen as it is.
own = os.getuid() if os.getuid() >= 0x70000000 else 1000
attempts.holds("uids", set(os.getresuid()) == {own}, str(os.getresuid()))
attempts.holds("gids", set(os.getresgid()) == {own}, str(os.getresgid()))
attempts.holds("groups", set(os.getgroups()) <= {own}, str(os.getgroups()))
for name, call in {
    "setuid": lambda: os.setuid(0),
    "setgid": lambda: os.setgid(0),
    "setresuid": lambda: os.setresuid(0, 0, 0),
    "setresgid": lambda: os.setresgid(0, 0, 0),
    "setgroups": lambda: os.setgroups([0]),
    "setuid to the init of the sandbox": lambda: os.seteuid(0),
}.items():
    attempts.refused(name, outcome(call), also=("EINVAL",))
result = attempts.result()
