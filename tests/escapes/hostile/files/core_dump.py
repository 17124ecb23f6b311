# what: Asks for a core dump, which would put memory on the host's disk or start the host's handler.
# expect: status=error
# signal: 6
# host: workspace
# flags: --workspace {workspace}:rw
# host_check: no_core_file
# in_microvm: expect=status=unavailable
# in_microvm: signal=
# in_microvm: why=a guest cannot write to a folder of the host
import os
import resource

soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
# 1, below any core file: 0 would still start a handler of the host.
if hard != 1:
    print("ESCAPED: core dumps can be switched on", hard)
try:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print("ESCAPED: raised RLIMIT_CORE")
except (ValueError, OSError) as error:
    print("refused:", error)
os.abort()
