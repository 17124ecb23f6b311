# what: Destroys a workspace that was given as a copy; the host's folder must not change.
# expect: contained
# uses: attempts
# host: workspace
# flags: --workspace {workspace}:copy
# host_check: workspace_unchanged
# in_process: expect=status=error
# in_process: why=modes cannot be changed here (shutil.copy), so the program ends with the refusal
import shutil

with open("/workspace/input.txt", "a") as file:
    file.write("changed\n")
os.chmod("/workspace/input.txt", 0o777)
attempts.holds("changed the copy", "changed" in open("/workspace/input.txt").read(), "written")
for name in os.listdir("/workspace"):
    path = "/workspace/" + name
    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
open("/workspace/planted", "w").write("x")
attempts.holds("emptied the copy", os.listdir("/workspace") == ["planted"], str(os.listdir("/workspace")))
result = attempts.result()
