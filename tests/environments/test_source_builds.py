#!/usr/bin/env python3
"""Packages that come as source: refused unless they are named, then built in a sandbox whose only way out is the
package index, and installed as any other wheel."""

import os
import pathlib
import socket
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support_environments import EnvironmentCase  # noqa: E402
from wheels import source, wheel  # noqa: E402

# What a build tries; it is told to the test in the name of the error that ends it.
HOSTILE = """
import os, socket
found = []
for path in ("/etc/shadow", os.path.expanduser("~/.ssh"), {planted!r}):
    try:
        found.append(open(path).read()[:1])
    except OSError:
        pass
for name in ("CASEMATE_PLANTED", "PIP_INDEX_URL"):
    if name in os.environ:
        found.append(name)
for address in (("127.0.0.1", {port}), ("192.0.2.1", 80)):
    try:
        socket.create_connection(address, timeout=2)
        found.append(address)
    except OSError:
        pass
try:
    open({planted!r} + ".written", "w").write("x")
except OSError:
    pass
raise RuntimeError(f"found {{found}} as {{os.getuid()}}")
"""


class SourceBuilds(EnvironmentCase):
    def test_only_what_is_named_is_built(self):
        self.serve(source("sourced", "1.1"), wheel("helper", "3.0"), source("both", "2.0"), wheel("both", "2.0"))
        name = self.requirements("sourced>=1\nhelper\nboth\n")
        self.assertIn("--build NAME", self.refused(name))
        self.assertIn("cannot be built in a sandbox", self.refused(name, "--build", "nobody-has-it"))
        built = self.build(name, "--build", "Sourced,both")
        self.assertEqual([(one["name"], one["version"]) for one in built["wheels"]],
                         [("both", "2.0"), ("helper", "3.0"), ("sourced", "1.1")])
        self.assertFalse([path for path in self.index.requests if "both" in path and path.endswith(".whl")])
        program = "import sourced, helper; result = [sourced.VERSION, helper.VERSION]"
        self.assertEqual(self.ok("--environment", name, "-c", program)["result"], ["1.1", "3.0"])

    def test_a_build_is_in_a_sandbox(self):
        planted = self.place / "planted"
        planted.write_text("secret")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            taken = threading.Event()
            threading.Thread(target=lambda: (listener.accept(), taken.set()), daemon=True).start()
            code = HOSTILE.format(planted=str(planted), port=listener.getsockname()[1])
            self.serve(source("hostile", "1.0", code))
            said = self.refused("packages:hostile", "--build", "hostile", env=dict(self.env, CASEMATE_PLANTED="x"))
            self.assertFalse(taken.is_set())
        self.assertIn("cannot be built in a sandbox", said)
        self.assertIn("found [] as ", said)
        self.assertNotIn(f"found [] as {os.getuid()})", said)
        self.assertEqual(sorted(os.listdir(self.place)), ["planted"])

    def test_rules_hashes_and_bad_words(self):
        self.serve(source("sourced", "1.1"))
        self.assertIn("deny", self.refused("packages:sourced", "--build", "sourced", "--deny", "sourced"))
        hashed = self.requirements(f"sourced==1.1 --hash=sha256:{'0' * 64}\n")
        self.assertIn("a hash of what the index has", self.refused(hashed, "--build", "sourced"))
        self.assertIn("names of packages", self.refused("packages:sourced", "--build", "a b"))
        secret = self.index.url.replace("//", "//user:password@")
        self.assertIn("password", self.refused("packages:sourced", "--build", "sourced", "--index-url", secret))


if __name__ == "__main__":
    unittest.main(verbosity=2)
