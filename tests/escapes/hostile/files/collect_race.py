# what: A daemon goes on swapping files, folders and links to the host while the collector works.
# expect: contained
# uses: attempts
# flags: --collect ** --timeout 10s
# wall_ms_max: 6000
# host_check: no_processes
secret = os.environ["PROBE_SECRET_PATH"]
os.makedirs("/workspace/real")
open("/workspace/real/secret.txt", "w").write("of the sandbox")
open("/workspace/plain", "w").write("of the sandbox")
os.symlink(secret, "/workspace/link")
os.symlink(os.path.dirname(secret), "/workspace/folder_link")
if os.fork() == 0:
    os.setsid()
    os.closerange(0, 3)
    exchange = 2
    while True:
        raw(316, -100, b"/workspace/plain", -100, b"/workspace/link", exchange)
        raw(316, -100, b"/workspace/real", -100, b"/workspace/folder_link", exchange)
attempts.evidence["swapping"] = "started"
result = attempts.result()
