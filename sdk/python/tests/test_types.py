#!/usr/bin/env python3
"""The package passes mypy --strict, and its types say what callers rely on; every file is Python 3.9's."""

import ast
import pathlib
import subprocess
import sys
import tempfile
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PACKAGE = REPOSITORY / "sdk" / "python"
sys.path.insert(0, str(REPOSITORY / "tests" / "support"))
import packages  # noqa: E402

USE = """
import casemate
from typing import Any, List, Optional
sandbox = casemate.Sandbox(memory="128m", timeout=1.5, files={"a": b"b"})
result: casemate.Result = sandbox.run("x", input={"n": 1}, on_stdout=print)
error: Optional[casemate.ProgramError] = result.error
texts: List[str] = [event.text for event in sandbox.stream("x") if isinstance(event, casemate.Stdout)]
@casemate.sandboxed(memory="128m")
def double(n: int) -> int:
    return n * 2
number: int = double(1)
"""
MISUSE = {
    'casemate.Sandbox(memry="128m")': "call-arg",
    "casemate.Sandbox(timeout=[])": "typeddict-item|arg-type",
    'casemate.Sandbox().run("x", files=["a"])': "arg-type",
    "text: str = casemate.Sandbox().run('x').usage.wall_ms": "assignment",
    "double('text')": "arg-type",
}


class Types(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.python = packages.python_with(REPOSITORY / "tests" / "sdk" / "requirements.txt", "sdk-venv")

    def mypy(self, *words):
        with tempfile.TemporaryDirectory(prefix="casemate-mypy-") as cache:
            return subprocess.run([self.python, "-m", "mypy", "--strict", "--cache-dir", cache, *words], cwd=PACKAGE,
                                  capture_output=True, text=True)

    def test_strict(self):
        done = self.mypy()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_what_callers_rely_on(self):
        with tempfile.TemporaryDirectory(prefix="casemate-types-") as folder:
            use = pathlib.Path(folder) / "use.py"
            use.write_text(USE + "\n".join(MISUSE) + "\n")
            done = self.mypy("--show-error-codes", str(use))
        first = len(USE.splitlines()) + 1
        for number, (line, codes) in enumerate(MISUSE.items(), first):
            self.assertRegex(done.stdout, rf"use\.py:{number}: error: .*\[({codes})\]", line)
        self.assertEqual(done.stdout.count("error:"), len(MISUSE), done.stdout)

    def test_syntax_of_the_oldest_python(self):
        for file in PACKAGE.glob("src/casemate/*.py"):
            ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 9))


if __name__ == "__main__":
    unittest.main()
