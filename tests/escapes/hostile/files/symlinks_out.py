# what: Leaves symbolic links to files and folders of the host, so that collecting them reads the host.
# expect: contained
# uses: attempts
# flags: --collect **
secret = os.environ["PROBE_SECRET_PATH"]
links = {"shadow": "/etc/shadow", "secret": secret, "folder": os.path.dirname(secret), "up": "../../../..",
         "relative": "../../../../.." + secret, "proc": "/proc/self/root" + secret, "environ": "/proc/self/environ",
         "self": "self", "init": "/proc/1/environ"}
for name, target in links.items():
    attempts.evidence[name] = outcome(lambda: os.symlink(target, f"/workspace/{name}"))[1] or "made"
attempts.holds("links", len(os.listdir("/workspace")) >= len(links), str(sorted(os.listdir("/workspace"))))
result = attempts.result()
