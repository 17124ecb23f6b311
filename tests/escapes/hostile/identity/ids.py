# what: Looks for a privileged user id, a spare group, or a way to change ids.
# expect: contained
# uses: attempts
attempts.holds("uids", set(os.getresuid()) == {1000}, str(os.getresuid()))
attempts.holds("gids", set(os.getresgid()) == {1000}, str(os.getresgid()))
attempts.holds("groups", set(os.getgroups()) <= {1000}, str(os.getgroups()))
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
