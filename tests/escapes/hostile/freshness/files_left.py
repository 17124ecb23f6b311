# what: Leaves files in each writable place and looks for those of the run before.
# expect: contained
# uses: attempts
# runs: 2
# in_process: expect=status=error
# in_process: why=that folder cannot even be listed here, so the program ends with the refusal
for folder in ("/workspace", "/tmp", "/dev/shm", "/var/tmp", "/run/secrets", "/dev/mqueue"):
    if os.path.isdir(folder):
        attempts.holds(folder, not os.listdir(folder), str(os.listdir(folder)))
        attempts.evidence[folder + " left"] = outcome(
            lambda: os.open(folder + "/left", os.O_CREAT | os.O_WRONLY))[1] or "made"
result = attempts.result()
