#!/usr/bin/env python3
"""`casemate try`: someone's folder with its packages and its variables, a copy and nothing of the host; what it
touched is told; what it cannot have is refused."""

import http.server
import os
import pathlib
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support_environments import EnvironmentCase  # noqa: E402
import casemate  # noqa: E402
from wheels import wheel  # noqa: E402

PROGRAM = """\
import os, pathlib, socket, sys
import words, local
print(words.VERSION, local.NAME, os.environ.get("TOKEN"), os.environ.get("SECRET_OF_HOST"), sys.argv[1:])
pathlib.Path("new/out.txt").parent.mkdir()
pathlib.Path("new/out.txt").write_text("made")
pathlib.Path("data.txt").write_text("changed")
os.remove("gone.txt")
try:
    socket.create_connection(("192.0.2.1", 443), timeout=1)
except OSError as error:
    print("no network:", type(error).__name__)
if sys.argv[1:] == ["read"]:
    print("read", input())
"""


class Try(EnvironmentCase):
    def setUp(self):
        super().setUp()
        self.serve(wheel("words", "1.0"))
        files = {"run.py": PROGRAM, "local.py": "NAME = 'local'\n", "requirements.txt": "words\n",
                 ".env": "TOKEN='tok'\nSECRET_OF_HOST\n", "data.txt": "as it was", "gone.txt": "x"}
        for name, text in files.items():
            (self.place / name).write_text(text)

    def attempt(self, *words, stdin=b""):
        env = dict(self.env, SECRET_OF_HOST="never")
        done = subprocess.run([casemate.BINARY, "try", *map(str, words)], env=env, input=stdin, capture_output=True,
                              timeout=120, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def test_runs_and_says_what_it_touched(self):
        code, out, err = self.attempt("--output-dir", self.place / "kept", self.place, "one")
        self.assertEqual(code, 0, err)
        self.assertEqual(out.splitlines()[0], "1.0 local tok None ['one']")
        self.assertIn("no network", out)
        for line in ("new      new/out.txt (4 bytes)", "changed  data.txt (7 bytes)", "removed  gone.txt"):
            self.assertIn(line, err)
        self.assertNotIn("local.py", err)
        self.assertEqual((self.place / "data.txt").read_text(), "as it was")
        self.assertEqual((self.place / "kept/data.txt").read_text(), "changed")
        self.assertFalse((self.place / "kept/local.py").exists())

    def test_stdin_only_when_asked(self):
        self.assertIn("read typed", self.attempt("-i", self.place, "read", stdin=b"typed\n")[1])
        self.assertEqual(self.attempt(self.place, "read", stdin=b"typed\n")[0], 1)

    def test_refuses_with_a_sentence(self):
        for words, said in (((), ""), (("/nowhere",), "not there"), ((self.folder,), "no run.py"),
                            (("-it", self.place), "stdin is no terminal"),
                            (("-v", "/etc:/x", self.place), "nothing else"),
                            (("--no-such-flag", self.place), "no-such-flag")):
            code, out, err = self.attempt(*words)
            if said:
                self.assertIn(code, (126, 127), err)
                self.assertIn(said, err)
            else:
                self.assertIn("Usage: casemate try", out)

    def test_reaches_the_hosts_that_were_named_and_no_other(self):
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as web:
            threading.Thread(target=web.serve_forever, daemon=True).start()
            self.addCleanup(web.shutdown)
            address = f"127.0.0.1:{web.server_port}"
            (self.place / "requirements.txt").unlink()
            (self.place / "run.py").write_text(
                "import urllib.request\n"
                f"print(urllib.request.urlopen('http://{address}/', timeout=9).status)\n"
                "try:\n    urllib.request.urlopen('http://192.0.2.1/', timeout=9)\n"
                "except OSError as error:\n    print(error)\n")
            code, out, err = self.attempt("--network", f"allow:{address}", self.place)
        self.assertEqual((code, out.splitlines()[0]), (0, "200"), err)
        self.assertIn(f"reached  {address}\n", err)
        self.assertIn("asked    192.0.2.1:80\n", err)

    def test_a_program_that_fails(self):
        (self.place / "run.py").write_text("raise SystemExit(7)\n")
        (self.place / "requirements.txt").unlink()
        code, _, err = self.attempt(self.place)
        self.assertEqual(code, 7)
        self.assertIn("files    none", err)
        self.assertIn("hosts    none asked for", err)
        self.assertTrue(os.path.exists(self.place / "gone.txt"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
