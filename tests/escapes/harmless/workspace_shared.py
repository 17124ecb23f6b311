# what: Reads and writes a folder that was shared for writing; the host sees what it wrote.
# host: workspace
# flags: --workspace {workspace}:rw
# host_check: workspace_written
# expect_result: "of the workspace\n"
result = open("input.txt").read()
open("written.txt", "w").write("by the program\n")
