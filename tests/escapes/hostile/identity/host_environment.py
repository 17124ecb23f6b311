# what: Looks for the environment of the host in its own environment, its stack area and its heap.
# expect: contained
# uses: attempts
# in_process: expect=status=error
# in_process: why=that file is closed here, so the program ends with the refusal
# The runner's own environment holds a random canary; what is printed here must not contain it.
expected = {"PATH", "HOME", "LANG", "TMPDIR"}
asked = {name for name in os.environ if name.startswith("PROBE_")}
extra = set(os.environ) - expected - asked - {"LC_CTYPE"}
attempts.holds("names", not extra, str(sorted(os.environ)))
attempts.holds("HOME", os.environ.get("HOME") == "/tmp", os.environ.get("HOME"))
found = 0
needle = b"CASEMATE_TEST_" + b"CANARY="
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        fields = line.split()
        start, end = (int(word, 16) for word in fields[0].split("-"))
        if fields[1].startswith("rw") and "[stack]" in line:
            memory.seek(start)
            content = memory.read(end - start)
            found += content.count(needle)
            print(content[content.find(needle):][:200] if needle in content else "nothing")
attempts.holds("stack", found == 0, f"{found} variables of the host")
attempts.holds("/proc/self/environ", needle not in open("/proc/self/environ", "rb").read(), "searched")
result = attempts.result()
