# what: The same links in a workspace that is a folder of the host itself.
# expect: contained
# uses: attempts
# host: workspace
# flags: --workspace {workspace}:rw --collect **
# host_check: workspace_owner
# in_microvm: expect=status=unavailable
# in_microvm: why=a guest cannot write to a folder of the host
secret = os.environ["PROBE_SECRET_PATH"]
for name, target in {"secret": secret, "folder": os.path.dirname(secret), "up": "../..", "shadow": "/etc/shadow",
                     "input.txt.link": "input.txt"}.items():
    attempts.evidence[name] = outcome(lambda: os.symlink(target, f"/workspace/{name}"))[1] or "made"
os.rename("/workspace/sub", "/workspace/sub.was")
os.symlink(os.path.dirname(secret), "/workspace/sub")
attempts.failed("through the link", outcome(lambda: os.open("/workspace/secret", os.O_RDONLY)))
attempts.failed("through the folder", outcome(lambda: os.open("/workspace/sub/secret.txt", os.O_RDONLY)))
result = attempts.result()
