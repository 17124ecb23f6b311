# what: The same race in a folder of the host that the caller shared for writing.
# expect: contained
# uses: attempts
# host: workspace
# flags: --workspace {workspace}:rw --collect ** --timeout 10s
# wall_ms_max: 6000
# host_check: workspace_owner
# in_microvm: expect=status=unavailable
# in_microvm: why=a guest cannot write to a folder of the host
secret = os.environ["PROBE_SECRET_PATH"]
os.symlink(secret, "/workspace/link")
os.symlink(os.path.dirname(secret), "/workspace/folder_link")
if os.fork() == 0:
    os.setsid()
    os.closerange(0, 3)
    exchange = 2
    while True:
        raw(316, -100, b"/workspace/input.txt", -100, b"/workspace/link", exchange)
        raw(316, -100, b"/workspace/sub", -100, b"/workspace/folder_link", exchange)
attempts.evidence["swapping"] = "started"
result = attempts.result()
