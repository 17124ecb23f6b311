#!/usr/bin/env python3
"""Sandboxes of OCI runtimes that wait for their program in a resident engine: each is used once and by nobody else,
what a run asks for is never given up for one that waits, and those that die or are left over harm nobody."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
import engine as resident  # noqa: E402
from case import Case  # noqa: E402

PYTHON = "/usr/bin/python3"
LOOK = "import os\nresult = [os.path.exists('/tmp/left'), open(__file__).read(), INPUT_DATA]"


class Waiting:
    runtime = ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = casemate.run_json("--no-engine", "--python", PYTHON, "--runtime", cls.runtime, "-c", "pass", env=cls.env)
        if done["status"] == "unavailable":
            raise unittest.SkipTest(done["error"]["message"])

    def setUp(self):
        super().setUp()
        self.server = resident.Engine(
            tempfile.mktemp(dir=self.place), self.env, "--python", PYTHON, "--pool-size", "1"
        )
        self.addCleanup(self.server.end)

    def run_one(self, **request):
        """The result, and whether its sandbox had waited."""
        status, result = self.server.run(runtime=self.runtime, **request)
        self.assertEqual(status, 200, result)
        return result, any(step["step"] == "take_sandbox" for step in result["timings"])

    def pool(self):
        pools = [pool for pool in self.server.health()["pools"] if pool["environment"] == f"host ({self.runtime})"]
        return pools[0] if pools else {"cells_ready": 0, "cells_max": 1}

    def settle(self):
        left = casemate.settle(lambda: self.pool()["cells_ready"] != self.pool()["cells_max"], 60)
        self.assertFalse(left, self.pool())

    @staticmethod
    def lives(status):
        try:
            return "State:\tZ" not in status.read_text()
        except OSError:
            return False

    def test_each_is_used_once(self):
        result, warm = self.run_one(code="open('/tmp/left', 'w').write('x')\nimport sys\nsys.path.append('/left')")
        self.assertEqual((result["status"], warm), ("ok", False), result)
        self.settle()
        for number in range(2):
            result, warm = self.run_one(code=LOOK, input=number)
            self.assertEqual(result["status"], "ok", result)
            self.assertEqual(result["result"], [False, LOOK, number])
            self.assertTrue(warm, result["timings"])
        self.settle()
        result, warm = self.run_one(code="x = 1\nx / 0  # here")
        self.assertTrue(warm)
        self.assertEqual(result["error"]["type"], "ZeroDivisionError")
        self.assertIn("x / 0  # here", result["error"]["traceback"])

    def test_limits_count_from_the_programs_start(self):
        limits = {"wall_time_ms": 1500, "memory_bytes": 96 << 20}
        self.run_one(code="pass", limits=limits)
        self.settle()
        result, warm = self.run_one(code="import time\ntime.sleep(0.7)\nresult = 'slept'", limits=limits)
        self.assertEqual((result["status"], warm), ("ok", True), result)
        self.assertLess(result["timings"][-1]["microseconds"], 60_000_000)
        self.settle()
        result, warm = self.run_one(code="while True: pass", limits=limits)
        self.assertEqual((result["status"], warm), ("timeout", True), result)
        self.assertLess(result["usage"]["wall_ms"], 4000 * casemate.SLOW)
        self.settle()
        result, warm = self.run_one(code="x = b'a' * (300 << 20)", limits=limits)
        self.assertEqual((result["status"], warm), ("memory_limit", True), result)

    def test_another_kind_of_run_gets_what_it_asks_for(self):
        self.run_one(code="pass")
        self.settle()
        for asked in (
            {"env": {"COLOUR": "red"}, "code": "import os\nresult = os.environ['COLOUR']"},
            {"files": {"data.txt": "red"}, "code": "result = open('data.txt').read()"},
            {"limits": {"open_files_max": 77}, "code": "import resource\n"
             "result = 'red' if resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 77 else 'not'"},
        ):
            result, warm = self.run_one(**asked)
            self.assertEqual((result["status"], result["result"], warm), ("ok", "red", False), result)

    def test_one_of_an_older_environment_is_not_taken(self):
        # Not below /tmp, which each sandbox has of its own.
        folder = pathlib.Path(casemate.BINARY).parent
        venv = pathlib.Path(tempfile.mkdtemp(prefix="casemate-test-venv-", dir=folder))
        self.addCleanup(shutil.rmtree, venv)
        venv.chmod(0o755)
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(venv)], check=True)
        self.server = resident.Engine(
            tempfile.mktemp(dir=self.place), self.env, "--python", str(venv / "bin/python"), "--pool-size", "1"
        )
        self.addCleanup(self.server.end)
        self.run_one(code="pass")
        self.settle()
        self.assertTrue(self.run_one(code="pass")[1])
        self.settle()
        next((venv / "lib").glob("python*/site-packages")).joinpath("installed.py").write_text("x = 42\n")
        result, warm = self.run_one(code="import installed\nresult = installed.x")
        self.assertEqual((result["status"], result.get("result"), warm), ("ok", 42, False), result)

    def test_those_that_die_are_replaced(self):
        self.run_one(code="pass")
        self.settle()
        killed = []
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            try:
                parent = int(next(line for line in status.read_text().splitlines() if line.startswith("PPid:"))[5:])
                name = (status.parent / "cmdline").read_bytes()
            except (OSError, StopIteration):
                continue
            if parent == self.server.process.pid and b"guard" in name:
                os.kill(int(status.parent.name), signal.SIGKILL)
                killed.append(status)
        self.assertGreater(len(killed), 0)
        # A kill ends a guard once all that it guards has ended; a run that came in between would be told `failed`.
        self.assertFalse(casemate.settle(lambda: [one for one in killed if self.lives(one)], 20))
        result, _ = self.run_one(code="result = 42")
        self.assertEqual((result["status"], result["result"]), ("ok", 42), result)
        self.settle()
        self.assertTrue(self.run_one(code="pass")[1])

    def test_nothing_is_left_of_an_engine_that_is_killed(self):
        self.run_one(code="pass")
        self.settle()
        self.server.end(signal.SIGKILL)  # and the class looks at the host
        casemate.run(["gc"], env=self.env)


class Crun(Waiting, Case):
    runtime = "crun"


class Gvisor(Waiting, Case):
    runtime = "runsc"


if __name__ == "__main__":
    unittest.main(verbosity=2)
