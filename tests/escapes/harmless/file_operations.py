# what: Links, renames, permissions, times, locks, attributes, sparse files, globbing, copying a tree.
# expect_result: ["moved", "0o640", 5, ["a", "b"], true, "linked"]
# in_process: expect=status=error
# in_process: why=modes cannot be changed here
import fcntl
import glob
import os
import pathlib
import shutil

path = pathlib.Path("file")
path.write_text("moved")
path.chmod(0o640)
os.utime(path, (5, 5))
renamed = path.rename("renamed")
os.symlink("renamed", "symbolic")
os.link("renamed", "hard")
os.makedirs("tree/a")
os.makedirs("tree/b")
shutil.copytree("tree", "copy")
with open("renamed") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    content = file.read()
result = [content, oct(renamed.stat().st_mode & 0o777), int(renamed.stat().st_mtime),
          sorted(os.path.basename(name) for name in glob.glob("copy/*")), os.path.samefile("hard", "symbolic"),
          "linked" if os.readlink("symbolic") == "renamed" else ""]
