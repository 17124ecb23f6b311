# what: Reads and writes a folder that was shared for writing; the host sees what it wrote.
# host: workspace
# flags: --workspace {workspace}:rw
# host_check: workspace_written
# expect_result: "of the workspace\n"
# in_microvm: expect=status=unavailable
# in_microvm: expect_result=
# in_microvm: host_check=
# in_microvm: why=a guest cannot write to a folder of the host
result = open("input.txt").read()
open("written.txt", "w").write("by the program\n")
