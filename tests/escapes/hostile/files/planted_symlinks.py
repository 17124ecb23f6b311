# what: The caller's own workspace already holds links to the host; neither the copy nor the program may follow.
# expect: contained
# uses: attempts
# host: workspace_with_links
# flags: --workspace {workspace}:copy --collect **
for name in ("to_secret", "to_folder/secret.txt", "to_shadow", "dangling"):
    attempts.failed(name, outcome(lambda: os.open(f"/workspace/{name}", os.O_RDONLY)))
attempts.holds("own file", open("/workspace/input.txt").read() == "of the workspace\n", "read")
result = attempts.result()
