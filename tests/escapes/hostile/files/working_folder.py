# what: Escapes by its working folder, /proc/self/cwd, /proc/self/root and task links.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=the runner names its folders from the working folder, which the program removes
secret = os.environ["PROBE_SECRET_PATH"]
attempts.holds("cwd", os.getcwd() == "/workspace", os.getcwd())
for prefix in ("../" * 40, "/proc/self/cwd/" + "../" * 40, "/proc/self/root", "/proc/thread-self/root",
               f"/proc/{os.getpid()}/task/{os.getpid()}/root", "/proc/self/fd/../cwd/" + "../" * 40,
               "/proc/self/fd/0/" + "../" * 40, "/proc/1/cwd/" + "../" * 40, "/proc/1/root", "//" * 20,
               "/proc/self/map_files/../root"):
    attempts.failed(prefix[:60], outcome(lambda: os.open(prefix + secret, os.O_RDONLY)))
os.mkdir("/workspace/a")
os.chdir("/workspace/a")
os.rmdir("/workspace/a")
attempts.failed("from a deleted folder", outcome(lambda: os.open("../" * 40 + secret, os.O_RDONLY)))
os.makedirs("/tmp/x/y")
os.chdir("/tmp/x/y")
os.rename("/tmp/x/y", "/tmp/y")
attempts.failed("from a moved folder", outcome(lambda: os.open("../" * 40 + secret, os.O_RDONLY)))
result = attempts.result()
