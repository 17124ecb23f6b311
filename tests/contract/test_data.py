#!/usr/bin/env python3
"""Data in and out: input, schemas, stdin, arguments, variables, put files, workspaces, collected files, commands."""

import base64
import hashlib
import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import Case  # noqa: E402


def contents(done):
    return {file["name"]: base64.b64decode(file["content_base64"]) for file in done["files"]}


class Programs(Case):
    def test_from_a_file_an_argument_and_stdin(self):
        code = "import sys\nresult = [__name__, sys.argv[1:]]"
        for arguments, options in (
            ([self.program(code), "a", "-b"], {}),
            (["-c", code, "a", "-b"], {}),
            (["-", "a", "-b"], {"stdin": code.encode()}),
        ):
            self.assertEqual(self.ok(*arguments, **options)["result"], ["__main__", ["a", "-b"]])

    def test_name_of_the_file_is_in_the_traceback(self):
        done = self.status("error", self.program("\n\nraise ValueError('v')\n", "ledger.py"))
        self.assertIn('ledger.py", line 3', done["error"]["traceback"])
        self.assertIn("raise ValueError('v')", done["stderr"])

    def test_any_command(self):
        done = self.ok("--", "bash", "-c", "echo $0 $1; cat /etc/hostname >/dev/null 2>&1; pwd", "zero", "one")
        self.assertEqual(done["stdout"], "zero one\n/workspace\n")
        self.assertIsNone(done["result"])

    def test_missing_command(self):
        done = self.run_json("--", "no-such-command")
        self.assertEqual(done.code, 127, done.tell())

    def test_empty_program(self):
        self.assertIsNone(self.ok("-c", "")["result"])

    def test_encodings_and_line_ends(self):
        path = self.place / "crlf.py"
        path.write_bytes("# -*- coding: utf-8 -*-\r\nresult = 'gr\u00fc\u00dfe'\r\n".encode())
        self.assertEqual(self.ok(str(path))["result"], "grüße")
        path.write_bytes(b"\xef\xbb\xbfresult = 1\n")
        self.assertEqual(self.ok(str(path))["result"], 1)


class Input(Case):
    VALUE = {"a": [1, 2.5, None, True, "grüße"], "big": 10**40, "deep": [[[[1]]]]}

    def test_from_an_argument_a_file_and_stdin(self):
        text = json.dumps(self.VALUE)
        path = self.place / "input.json"
        path.write_text(text)
        for value, options in ((text, {}), (f"@{path}", {}), ("-", {"stdin": text.encode()})):
            self.assertEqual(self.ok("--input", value, "-c", "result = INPUT_DATA", **options)["result"], self.VALUE)

    def test_of_every_type(self):
        for value in (None, True, 0, -1.5, "", [], {}, "x" * 100000):
            text = json.dumps(value)
            self.assertEqual(
                self.ok("--input", "-", "-c", "result = [INPUT_DATA]", stdin=text.encode())["result"], [value]
            )

    def test_large(self):
        text = json.dumps(["x" * 1000] * 5000)
        done = self.ok("--input", "-", "-c", "result = len(INPUT_DATA)", stdin=text.encode())
        self.assertEqual(done["result"], 5000)

    def test_does_not_appear_in_the_command_line_of_the_program(self):
        done = self.ok("--input", '"needle-in-argv"', "-c", "result = open('/proc/self/cmdline').read()")
        self.assertNotIn("needle", done["result"])

    def test_schema_from_a_file(self):
        path = self.place / "schema.json"
        path.write_text('{"type": "integer", "minimum": 3}')
        self.assertEqual(
            self.ok("--input", "3", "--input-schema", f"@{path}", "-c", "result = INPUT_DATA")["result"], 3
        )
        self.status("rejected", "--input", "2", "--input-schema", f"@{path}", "-c", "print('ran')")


class Stdin(Case):
    def test_is_handed_over_as_it_comes(self):
        data = bytes(range(256)) * 1000
        done = self.ok(
            "-i", "-c", "import sys, hashlib\nresult = hashlib.sha256(sys.stdin.buffer.read()).hexdigest()", stdin=data
        )
        self.assertEqual(done["result"], hashlib.sha256(data).hexdigest())

    def test_is_empty_unless_asked_for(self):
        self.assertEqual(self.ok("-c", "import sys; result = sys.stdin.read()", stdin=b"secret")["result"], "")

    def test_program_that_does_not_read(self):
        self.ok("-i", "-c", "pass", stdin=b"x" * 5_000_000)


class Variables(Case):
    def test_flags_and_files(self):
        path = self.place / "env"
        path.write_text("# comment\nFROM_FILE=f\nBOTH=file\nSPACED=a b\n")
        done = self.ok(
            "-e",
            "GIVEN=g=h",
            "-e",
            "BOTH=flag",
            "-e",
            "OF_HOST",
            "--env-file",
            str(path),
            "-c",
            "import os; result = {n: os.environ.get(n) for n in ('GIVEN', 'FROM_FILE', 'BOTH', 'SPACED', 'OF_HOST')}",
            env=dict(self.env, OF_HOST="taken", NOT_ASKED="secret"),
        )
        self.assertEqual(
            done["result"], {"GIVEN": "g=h", "FROM_FILE": "f", "BOTH": "flag", "SPACED": "a b", "OF_HOST": "taken"}
        )

    def test_nothing_of_the_host(self):
        done = self.ok("-c", "import os; result = sorted(os.environ)", env=dict(self.env, NOT_ASKED="secret"))
        self.assertLessEqual(
            set(done["result"]), {"PATH", "HOME", "LANG", "TMPDIR", "LC_CTYPE", "MPLBACKEND", "MPLCONFIGDIR"}
        )


class Workspaces(Case):
    def folder_of_host(self):
        folder = self.place / "work"
        (folder / "sub").mkdir(parents=True)
        (folder / "a.txt").write_text("a")
        (folder / "sub" / "b.txt").write_text("b")
        for path in (folder, folder / "sub"):
            path.chmod(0o777)
        for path in (folder / "a.txt", folder / "sub" / "b.txt"):
            path.chmod(0o666)
        return folder

    @staticmethod
    def listing(folder):
        return {
            str(path.relative_to(folder)): (
                path.stat().st_mode,
                path.stat().st_mtime_ns,
                path.read_bytes() if path.is_file() else None,
            )
            for path in folder.rglob("*")
        }

    def test_read_only_is_the_default(self):
        folder = self.folder_of_host()
        before = self.listing(folder)
        for mode in ("", ":ro"):
            done = self.ok(
                "--workspace",
                f"{folder}{mode}",
                "-c",
                "try: open('new', 'w')\nexcept OSError as e: result = [open('sub/b.txt').read(), e.errno]",
            )
            self.assertEqual(done["result"], ["b", 30])
        self.assertEqual(self.listing(folder), before)

    def test_copy_changes_nothing_of_the_host(self):
        folder = self.folder_of_host()
        before = self.listing(folder)
        done = self.ok(
            "--workspace",
            f"{folder}:copy",
            "--collect",
            "**",
            "-c",
            "import os\nopen('a.txt', 'w').write('changed')\nos.remove('sub/b.txt')\nopen('sub/c.txt', 'w').write('c')",
        )
        self.assertEqual(contents(done), {"a.txt": b"changed", "sub/c.txt": b"c"})
        self.assertEqual(self.listing(folder), before)

    def test_shared_for_writing(self):
        folder = self.folder_of_host()
        self.ok(
            "--workspace", f"{folder}:rw", "-c", "open('a.txt', 'w').write('changed')\nopen('new.txt', 'w').write('n')"
        )
        self.assertEqual(((folder / "a.txt").read_text(), (folder / "new.txt").read_text()), ("changed", "n"))

    def test_copy_larger_than_its_place_is_refused_or_a_limit(self):
        folder = self.folder_of_host()
        (folder / "large").write_bytes(b"x" * 9_000_000)
        done = self.run_json("--tmp-size", "4m", "--workspace", f"{folder}:copy", "-c", "print('ran')")
        self.assertIn(done["status"], ("disk_limit", "rejected", "unavailable"), done.tell())
        self.assertEqual(done["stdout"], "")

    def test_put_files(self):
        source = self.place / "source.bin"
        source.write_bytes(bytes(range(256)))
        done = self.ok(
            "--file",
            f"in/data.bin={source}",
            "--file",
            f"main.csv={source}",
            "-c",
            "import os\nopen('main.csv', 'a').write('x')\n"
            "result = [list(open('in/data.bin', 'rb').read()) == list(range(256)), sorted(os.listdir('.'))]",
        )
        self.assertEqual(done["result"], [True, ["in", "main.csv"]])
        self.assertEqual(len(source.read_bytes()), 256)

    def test_further_mounts(self):
        folder = self.folder_of_host()
        done = self.ok(
            "-v",
            f"{folder}:/data",
            "-v",
            f"{folder}/a.txt:/one/file:ro",
            "-c",
            "import os\nresult = [open('/data/sub/b.txt').read(), open('/one/file').read(),"
            " os.access('/data', os.W_OK)]",
        )
        self.assertEqual(done["result"], ["b", "a", False])
        self.ok("-v", f"{folder}:/data:rw", "-c", "open('/data/w', 'w').write('w')")
        self.assertEqual((folder / "w").read_text(), "w")

    def test_folder_with_spaces_and_colons(self):
        folder = self.place / "a b:c,d\\040"
        folder.mkdir(mode=0o777)
        (folder / "x").write_text("x")
        self.assertEqual(self.ok("--workspace", f"{folder}:ro", "-c", "result = open('x').read()")["result"], "x")


class Collected(Case):
    MAKE = (
        "import os\nos.makedirs('out/deep')\nfor n in ('out/a.txt', 'out/deep/b.txt', 'c.bin', '.hidden'):\n"
        "    open(n, 'w').write(n)\n"
    )

    def test_globs(self):
        for globs, expected in (
            (["**"], {"out/a.txt", "out/deep/b.txt", "c.bin", ".hidden"}),
            (["out/*.txt"], {"out/a.txt"}),
            (["*.bin", "out/**"], {"c.bin", "out/a.txt", "out/deep/b.txt"}),
            (["nothing*"], set()),
        ):
            flags = [word for glob in globs for word in ("--collect", glob)]
            names = set(contents(self.ok(*flags, "-c", self.MAKE)))
            self.assertEqual(names, expected, globs)

    def test_nothing_unless_asked_for(self):
        self.assertEqual(self.ok("-c", self.MAKE)["files"], [])

    def test_also_after_a_failure(self):
        done = self.status("error", "--collect", "**", "-c", self.MAKE + "raise ValueError")
        self.assertIn("c.bin", contents(done))

    def test_output_folder(self):
        out = self.place / "out"
        self.ok("--collect", "**", "--output-dir", str(out), "-c", self.MAKE)
        self.assertEqual((out / "out" / "deep" / "b.txt").read_text(), "out/deep/b.txt")
        self.assertEqual(os.stat(out / "c.bin").st_uid, os.getuid())

    def test_output_folder_is_not_left_through_links(self):
        out, target = self.place / "out", self.place / "target"
        out.mkdir()
        target.mkdir()
        (out / "sub").symlink_to(target)
        self.run_json(
            "--collect",
            "**",
            "--output-dir",
            str(out),
            "--force",
            "-c",
            "import os\nos.mkdir('sub')\nopen('sub/planted', 'w').write('x')",
        )
        self.assertEqual(os.listdir(target), [])

    def test_too_much_is_listed_and_said_to_be_cut(self):
        done = self.ok(
            "--limit",
            "files_bytes_max=1m",
            "--collect",
            "**",
            "-c",
            "open('a', 'wb').write(b'x' * 900000)\nopen('b', 'wb').write(b'x' * 900000)",
        )
        self.assertTrue(done["truncated"]["files"])
        self.assertEqual({file["name"] for file in done["files"]}, {"a", "b"})
        self.assertEqual([file["size_bytes"] for file in done["files"]], [900000, 900000])


if __name__ == "__main__":
    unittest.main(verbosity=2)
