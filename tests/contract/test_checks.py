#!/usr/bin/env python3
"""Checks: what is refused never runs and says why, the same on every way in; restricted programs work, cold and warm;
`casemate check` and its exit codes; the CodeSandbox example."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine  # noqa: E402

FINDING = {"rule", "severity", "line", "column", "snippet", "reason", "remedy"}


class Checked(Case):
    def test_refuses_before_anything_starts(self):
        done = self.status("rejected", "--checks", "checked", "-c", "print('ran')\nimport os as o; o.system('id')")
        self.assertEqual([f["rule"] for f in done["findings"]], ["forbidden-import", "forbidden-call"])
        for finding in done["findings"]:
            self.assertEqual(set(finding), FINDING)
        self.assertEqual((done["findings"][0]["line"], done["findings"][0]["column"]), (2, 8))
        self.assertEqual((done["stdout"], done["checks"], done["exit_code"]), ("", "checked", None))
        self.assertEqual(done["error"]["type"], "casemate.rejected")
        self.assertIn("line 2", done["error"]["message"])

    def test_lets_ordinary_programs_run(self):
        done = self.ok("--checks", "checked", "-c", "import json\nresult = json.loads('[1]')  # eval(")
        self.assertEqual((done["result"], done["findings"]), ([1], []))

    def test_allows_by_name_and_limits_complexity(self):
        self.ok("--checks", "checked", "--allow-package", "os", "-c", "import os\nos.getcwd()")
        loops = "for i in range(2):\n    for j in range(2):\n        pass"
        self.ok("--checks", "checked", "--check-limit", "loops=2", "-c", loops)
        done = self.status("rejected", "--checks", "checked", "--check-limit", "loops=1", "-c", loops)
        self.assertIn("too many loops", done["findings"][0]["reason"])
        self.status("rejected", "--checks", "restricted", "--check-limit", "loops=1", "-c", loops)

    def test_what_cannot_be_checked_is_an_error(self):
        for arguments in (["--checks", "checked", "--", "true"], ["--checks", "strict", "-c", "1"],
                          ["--allow-package", "os", "-c", "1"], ["--check-limit", "loops", "-c", "1"],
                          ["--checks", "checked", "--check-limit", "charm=1", "-c", "1"],
                          ["--checks", "checked", "--allow-package", "o s", "-c", "1"]):
            with self.subTest(arguments):
                done = self.status("rejected", *arguments)
                self.assertNotEqual(done["error"]["type"], "casemate.rejected")

    def test_the_summary_tells_each_finding(self):
        done = self.run_text("--checks", "checked", "-c", "eval('1')")
        self.assertEqual(done.code, 126)
        self.assertIn(b"1:1: eval runs text as code", done.stderr)


class Restricted(Case):
    def test_programs_work(self):
        done = self.ok("--checks", "restricted", "--input", '{"n": 3}', "-c",
                       "import math\nfrom statistics import mean\nprint('n', INPUT_DATA['n'])\n"
                       "result = [math.sqrt(4), mean([1, 2])]")
        self.assertEqual((done["stdout"], done["result"], done["checks"]), ("n 3\n", [2.0, 1.5], "restricted"))

    def test_refuses_in_the_same_shape(self):
        done = self.status("rejected", "--checks", "restricted", "-c", "print('ran')\nimport os\n().__class__")
        self.assertEqual([(f["rule"], f["line"]) for f in done["findings"]],
                         [("restricted-import", 2), ("restricted", 3)])
        for finding in done["findings"]:
            self.assertEqual(set(finding), FINDING)
        self.assertEqual((done["stdout"], done["exit_code"]), ("", None))

    def test_errors_are_the_programs_own(self):
        done = self.status("error", "--checks", "restricted", "-c", "x = 1\nraise ValueError('no')")
        self.assertEqual((done["error"]["type"], done["error"]["message"]), ("ValueError", "no"))
        self.assertIn("line 2", done["error"]["traceback"])

    def test_is_not_there_for_others(self):
        done = self.status("error", "-c", "import RestrictedPython")
        self.assertEqual(done["error"]["type"], "ModuleNotFoundError")
        done = self.ok("-c", "import os\nresult = os.listdir('/casemate') if os.path.isdir('/casemate') else []")
        self.assertFalse([name for name in done["result"] if "estricted" in name])

    def test_an_open_program_cannot_claim_that_it_was_refused(self):
        text = json.dumps([{"rule": "x", "reason": "x"}])
        frame = f"b'K' + ({len(text)}).to_bytes(4, 'little') + {text!r}.encode()"
        done = self.run_json("-c", f"import os\nos.write(1101, {frame})")
        self.assertNotEqual(done["status"], "rejected")
        self.assertEqual(done["findings"], [])

    def test_limits_hold(self):
        self.status("timeout", "--checks", "restricted", "--timeout", "1s", "-c", "while True:\n    pass")


class Warm(Case):
    def test_the_same_in_warm_cells(self):
        engine = Engine(str(self.place / "engine.sock"), self.env)
        try:
            for _ in range(3):
                _, done = engine.run(code="import math\nresult = math.floor(INPUT_DATA)", input=2.5,
                                     checks="restricted")
                self.assertEqual((done["status"], done["result"]), ("ok", 2), done)
                _, done = engine.run(code="import os", checks="restricted")
                self.assertEqual((done["status"], done["findings"][0]["rule"]), ("rejected", "restricted-import"), done)
                _, done = engine.run(code="eval('1')", checks="checked")
                self.assertEqual((done["status"], done["findings"][0]["rule"]), ("rejected", "forbidden-call"), done)
                _, done = engine.run(code="import sys\nresult = 'RestrictedPython' in sys.modules")
                self.assertEqual((done["status"], done["result"]), ("ok", False), done)
        finally:
            engine.end()


class Command(Case):
    def check(self, *arguments, stdin=b""):
        return casemate.run(["check", *arguments], stdin=stdin, env=self.env)

    def test_prints_like_a_compiler(self):
        path = self.program("x = 1\ny = eval('2')\n")
        done = self.check(path)
        self.assertEqual(done.code, 1)
        self.assertTrue(done.stdout.startswith(f"{path}:2:5: error: eval runs text as code".encode()), done.stdout)
        self.assertEqual(self.check(self.program("x = 1\n")).code, 0)
        self.assertEqual(self.check("-", stdin=b"import os").code, 1)

    def test_json_and_sarif(self):
        path = self.program("eval('2')\n")
        answer = json.loads(self.check("--json", path).stdout)
        self.assertEqual((answer["refused"], answer["files"][0]["findings"][0]["line"]), (True, 1))
        self.assertEqual(answer["files"][0]["complexity"][0]["calls"], 1)
        log = json.loads(self.check("--sarif", path).stdout)
        self.assertEqual(log["version"], "2.1.0")
        found = log["runs"][0]["results"][0]
        self.assertIn(found["ruleId"], [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]])
        self.assertEqual(found["locations"][0]["physicalLocation"]["region"], {"startLine": 1, "startColumn": 1})

    def test_exit_codes(self):
        self.assertEqual(self.check().code, 127)
        self.assertEqual(self.check("/no/such/file.py").code, 127)
        self.assertEqual(self.check("/").code, 125)
        self.assertEqual(self.check("--frobnicate", "x.py").code, 126)
        self.assertEqual(self.check("--json", "--sarif", "x.py").code, 126)
        self.assertEqual(self.check("--help").code, 0)

    def test_hostile_texts(self):
        for text in (b"\xff\xfe", b"\x00", b"(" * 10_000_000, b"\r\r\r", b"if x:\n" * 3000, b"", b"\x1b[2J = 1"):
            done = self.check("-", stdin=text)
            self.assertFalse(done.hung)
            self.assertIn(done.code, (0, 1), text[:10])
            self.assertNotIn(b"\x1b", done.stdout)


class Example(Case):
    def execute(self, backend, code):
        env = dict(self.env, PATH=os.path.dirname(casemate.BINARY) + ":" + os.environ["PATH"])
        done = subprocess.run([sys.executable, str(ROOT / "examples" / "code_sandbox.py"), backend],
                              input=code.encode(), capture_output=True, env=env, timeout=120, check=False)
        return json.loads(done.stdout)

    def test_restricted(self):
        answer = self.execute("restricted", "print('hello')\nresult = 1")
        self.assertEqual((answer["success"], answer["stdout"], answer["result"]), (True, "hello\n", 1), answer)
        answer = self.execute("restricted", "import os")
        self.assertEqual((answer["success"], answer["detections"][0]["rule"]), (False, "restricted-import"))

    def test_a_tier_that_is_not_there_is_no_success(self):
        for backend in ("subprocess", "docker"):
            answer = self.execute(backend, "print('hello')")
            if answer["success"]:
                self.assertEqual(answer["stdout"], "hello\n")
            else:
                self.assertEqual((answer["status"], answer["stdout"]), ("unavailable", ""), answer)
                self.assertTrue(answer["stderr"])


if __name__ == "__main__":
    unittest.main()
