# what: Reads a further folder of the host.
# host: workspace
# flags: -v {workspace}:/data:ro
# expect_result: ["of the workspace\n", false]
# in_process: expect=status=rejected
# in_process: why=a folder can be shown at its own path alone
# in_microvm: expect=status=unavailable
# in_microvm: expect_result=
# in_microvm: why=a guest sees no folder of the host
import os

result = [open("/data/input.txt").read(), os.access("/data/input.txt", os.W_OK)]
