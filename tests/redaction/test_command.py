"""`casemate redact` given what it cannot use: one sentence with what to do. And what a check tells."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402

TOKEN = b"ghp_" + b"a1B2c3D4e5F6" * 3
RULE = """[[rule]]
name = "mine"
set = "secrets"
kind = "token"
keywords = ["mine-"]
pattern = "{pattern}"
replacement = "[REDACTED_MINE]"
reason = "a test"
match = ["mine-123456"]
"""


class Command(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def redact(self, *words: str, text: bytes = b"") -> subprocess.CompletedProcess:
        return subprocess.run([casemate.BINARY, "redact", *words], input=text, capture_output=True,
                              timeout=60 * casemate.SLOW, check=False)

    def test_what_cannot_be_used_is_told_in_a_sentence(self) -> None:
        text = self.file("text", b"plain\n")
        for words, said in (
            ([str(self.folder / "gone")], "check its name"),
            ([text + "/below"], "check its name"),
            (["--set", "nope", text], "write secrets, pii, internal"),
            (["--set"], "casemate redact --help"),
            (["--bogus"], "casemate redact --help"),
            (["--off", "nope", text], "--list names them"),
            (["--known", "X", text], "write NAME=env:VARIABLE"),
            (["--known", "X=env:NOT_SET_ANYWHERE", text], "set it first"),
            (["--known", f"X=file:{self.folder}/gone", text], "check its name"),
            (["--rules", str(self.folder / "gone"), text], "check its name"),
            (["--rules", self.file("half.toml", b"x = ["), text], "line 1"),
            (["--rules", self.file("few.toml", b'[[rule]]\nname = "x"\n'), text], "add it"),
            (["--rules", self.file("bad.toml", RULE.format(pattern="mine-(").encode()), text], "an RE2 expression"),
        ):
            done = self.redact(*words)
            message = done.stderr.decode()
            self.assertEqual((done.returncode, done.stdout), (126, b""), words)
            self.assertIn(said, message, words)
            self.assertEqual(message.count("\n"), 1, message)

    @unittest.skipIf(os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"), "needs another user")
    def test_what_may_not_be_read_is_told(self) -> None:
        closed = self.folder / "closed"
        closed.mkdir(mode=0o000)
        self.folder.chmod(0o755)
        self.addCleanup(closed.chmod, 0o700)
        other = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
        done = subprocess.run([*other, casemate.BINARY, "redact", str(closed)], stdin=subprocess.DEVNULL,
                              capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (126, b""))
        self.assertIn("cannot be read: Permission denied; ", done.stderr.decode())

    def test_rules_of_ones_own_are_used(self) -> None:
        rules = self.file("mine.toml", RULE.format(pattern="mine-[0-9]{6}").encode())
        done = self.redact("--rules", rules, text=b"a mine-654321 b\n")
        self.assertEqual(done.stdout, b"a [REDACTED_MINE] b\n", done.stderr)

    def test_binary_text_and_a_huge_line_pass_unharmed(self) -> None:
        binary = bytes(range(256)) * 4000
        self.assertEqual(self.redact(text=binary).stdout, binary)
        line = b"a" * 20_000_000
        done = self.redact(text=line + TOKEN.join([b" ", b" "]) + line)
        self.assertEqual(done.stdout, line + b" [REDACTED_GITHUB_TOKEN] " + line)

    def test_a_reader_that_has_gone_is_told(self) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run([casemate.BINARY, "redact"], input=b"x" * 1_000_000, stdout=writing,
                              stderr=subprocess.PIPE, check=False)
        os.close(writing)
        self.assertEqual(done.returncode, 125)
        self.assertIn("nobody reads", done.stderr.decode())

    def test_a_full_disk_is_told(self) -> None:
        with open("/dev/full", "wb") as full:
            done = subprocess.run([casemate.BINARY, "redact"], input=b"x" * 1_000_000, stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 125)
        self.assertIn("the disk is full", done.stderr.decode())

    def test_check_and_json_tell_and_show_nothing(self) -> None:
        done = self.redact("--check", text=TOKEN)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn(TOKEN, done.stdout + done.stderr)
        self.assertEqual(self.redact("--check", text=b"plain").returncode, 0)
        self.assertIn(b'"rule":"github_token"', self.redact("--json", text=TOKEN).stdout)

    def test_a_finding_shows_no_secret_of_the_program(self) -> None:
        for checks, code in (("checked", b'x = eval("%s")\n'), ("restricted", b'_x = "%s"\n')):
            done = subprocess.run([casemate.BINARY, "run", "--checks", checks, "--json", "-"], input=code % TOKEN,
                                  capture_output=True, timeout=60 * casemate.SLOW, check=False)
            self.assertEqual(done.returncode, 126, done.stderr)
            self.assertNotIn(TOKEN, done.stdout + done.stderr)
            self.assertIn(b"[REDACTED_GITHUB_TOKEN]", done.stdout)


if __name__ == "__main__":
    unittest.main()
