# what: Leaves by the classic chroot: open the root, chroot into a folder, fchdir out, climb.
# expect: contained
# uses: attempts
# denial: syscall chroot
# in_process: expect=status=error
# in_process: denial=
# in_process: why=that folder is closed here, so the program ends with the refusal
os.makedirs("/workspace/jail", exist_ok=True)
root = os.open("/", os.O_RDONLY)
attempts.refused("chroot", outcome(lambda: os.chroot("/workspace/jail")))
os.fchdir(root)
for _ in range(64):
    os.chdir("..")
attempts.holds("climbed to", os.stat(".").st_ino == os.stat("/").st_ino and not os.path.exists("root/.ssh"),
               str(sorted(os.listdir("."))))
attempts.refused("chroot .", outcome(lambda: os.chroot(".")))
attempts.failed("the host's file", outcome(lambda: os.open("." + os.environ["PROBE_SECRET_PATH"], os.O_RDONLY)))
result = attempts.result()
