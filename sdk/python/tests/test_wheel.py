#!/usr/bin/env python3
"""The wheel that carries the program: built, installed into a fresh virtual environment, and used there."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("CASEMATE") or REPOSITORY / "build" / "casemate").resolve().parent

USE = """
import casemate, sys
import casemate.tools
assert casemate.__file__.startswith(sys.prefix), casemate.__file__
assert casemate.find_binary().startswith(sys.prefix), casemate.find_binary()
with casemate.Sandbox(memory="128m", timeout=20) as sandbox:
    result = sandbox.run("import sys; result = [INPUT_DATA + 1, sys.version_info[:2]]", input=41)
    assert result.raise_for_status().result == [42, list(sys.version_info[:2])], result.raw

@casemate.sandboxed(timeout=20)
def double(n):
    return n * 2

print(double(21), len(casemate.tools.openai()))
"""


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Not in /tmp: each sandbox has one of its own, and the interpreter must be seen in it.
        cls._folder = tempfile.TemporaryDirectory(prefix="casemate-wheel-", dir=BUILD)
        cls.folder = pathlib.Path(cls._folder.name)
        cls.env = {"PATH": "/usr/bin:/bin", "HOME": str(cls.folder), "CASEMATE_STATE_DIR": str(cls.folder / "state")}
        made = subprocess.run([REPOSITORY / "tools" / "wheel", BUILD, cls.folder / "wheels"], text=True,
                              capture_output=True)
        if made.returncode != 0:
            raise AssertionError(made.stderr)
        cls.wheel = pathlib.Path(made.stdout.strip().splitlines()[-1])
        subprocess.run([sys.executable, "-m", "venv", cls.folder / "venv"], check=True)
        cls.python = cls.folder / "venv" / "bin" / "python"
        subprocess.run([cls.python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index",
                        cls.wheel], check=True)

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()

    def run_there(self, *command, **options):
        return subprocess.run(command, env=self.env, text=True, capture_output=True, timeout=120, cwd=self.folder,
                              **options)

    def test_is_for_this_kind_of_machine_and_any_python(self):
        self.assertRegex(self.wheel.name, rf"^casemate-0\.1\.0-py3-none-(many)?linux\w*_{os.uname().machine}\.whl$")
        names = zipfile.ZipFile(self.wheel).namelist()
        programs = ("casemate", "casemate-server", "casemate-audit", "casemate-env", "casemate-ship")
        for name in ("py.typed", "tools.json", *(f"_bin/{program}" for program in programs)):
            self.assertIn(f"casemate/{name}", names)
        self.assertFalse([name for name in names if "test" in name or "__pycache__" in name])

    def test_package(self):
        script = self.folder / "use.py"
        script.write_text(USE)
        done = self.run_there(self.python, script)
        self.assertEqual((done.stdout, done.returncode), ("42 2\n", 0), done.stderr)

    def test_command(self):
        command = self.folder / "venv" / "bin" / "casemate"
        done = self.run_there(command, "run", "--json", "-c", "print('x')")
        self.assertIn('"status":"ok"', done.stdout, done.stderr)
        self.assertEqual(self.run_there(command, "run", "-c", "raise SystemExit(7)").returncode, 7)
        self.assertIn("run-", self.run_there(command, "audit", "list", "--json").stdout)


if __name__ == "__main__":
    unittest.main()
