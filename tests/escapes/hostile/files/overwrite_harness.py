# what: Replaces the harness and the program's own source for whoever reads them next.
# expect: contained
# uses: attempts
# in_docker: expect=status=ok
# in_docker: why=the attendant has the program's user id, so modes of this run's own copies can be changed, their contents not (Landlock)
# in_microvm: expect=status=ok
# in_microvm: why=the attendant has the program's user id, so modes of this run's own copies can be changed, their contents not (Landlock)
targets = [os.path.join(folder, name) for folder in ("/casemate", "/code") if os.path.isdir(folder)
           for name in os.listdir(folder)]
attempts.evidence["found"] = targets
for path in targets:
    for name, flags in (("write", os.O_WRONLY), ("append", os.O_WRONLY | os.O_APPEND),
                        ("truncate", os.O_WRONLY | os.O_TRUNC), ("read-write", os.O_RDWR)):
        attempts.failed(f"{name} {path}", outcome(lambda: os.open(path, flags)))
    attempts.failed(f"unlink {path}", outcome(lambda: os.unlink(path)))
    attempts.failed(f"replace {path}", outcome(lambda: os.rename(path, "/workspace/taken")))
    attempts.failed(f"link {path}", outcome(lambda: os.link(path, "/workspace/linked")))
    attempts.failed(f"chmod {path}", outcome(lambda: os.chmod(path, 0o777)))
    descriptor = os.open(path, os.O_RDONLY) if os.access(path, os.R_OK) else -1
    if descriptor >= 0:
        attempts.failed(f"reopen {path}", outcome(lambda: os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR)))
attempts.failed("rename /code", outcome(lambda: os.rename("/code", "/workspace/code")))
result = attempts.result()
