#!/usr/bin/env python3
"""After casemate is killed at any instant of a run in the process tier nothing of it is left: no process, and no
folder once the next run or `casemate gc` has looked. As test_recovery.py, which says what the variables mean."""

import os
import pathlib
import random
import secrets
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402

RUNS = int(os.environ.get("CASEMATE_RECOVERY_RUNS", "40"))
SEED = int(os.environ.get("CASEMATE_RECOVERY_SEED", secrets.randbelow(10**6)))
FLAGS = ["--isolation", "process", "--no-engine", "--python", "/usr/bin/python3"]

PROGRAMS = {
    "waits": "import time; time.sleep(30)",
    "has daemons": "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n"
    "        os.setsid()\n        time.sleep(60)\n"
    "time.sleep(30)",
    "is stopped": "import os, signal\nos.fork()\nos.kill(os.getpid(), signal.SIGSTOP)",
    "writes files": "n = 0\nwhile True:\n    open(f'{n % 1000}', 'w').write('x' * 1000)\n    n += 1",
    "makes processes": "import os\nwhile True:\n    if os.fork() == 0: os._exit(0)\n    os.wait()",
    "flees by forking": "import os\nwhile True:\n    if os.fork(): os._exit(0)\n    os.setsid()",
    "makes closed folders": "import os\nfor n in range(300):\n    os.mkdir('d', 0o700)\n    os.chdir('d')\n"
    "os.mkdir('closed', 0)\nimport time; time.sleep(30)",
    "ends at once": "result = 1",
}


class Killed(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = casemate.run_json(*FLAGS, "-c", "pass", env=cls.env)
        if done["status"] == "unavailable":
            raise unittest.SkipTest(f"no process tier here: {done['error']['message']}")
        print(f"seed {SEED}", flush=True)
        begin = time.monotonic()
        casemate.run_json(*FLAGS, "-c", "pass", env=cls.env)
        cls.span = max(2.5 * (time.monotonic() - begin), 0.12)

    def kill_one(self, name, delay):
        marker = secrets.token_hex(12)
        process = casemate.start(
            ["run", "--json", "--timeout", "20s", "-e", f"PROBE_MARK={marker}", *FLAGS, "-c", PROGRAMS[name]],
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait(10 * casemate.SLOW)
        casemate.finish(process)
        left = casemate.settle(lambda: casemate.marked(marker) + casemate.orphans(), 5)
        self.assertEqual(left, [], f"SIGKILL after {delay * 1000:.1f} ms while it {name}")

    def folders(self):
        return sorted(self.temporary_dir.glob("casemate-run-*"))

    def test_kill_then_collect(self):
        instants = random.Random(f"{SEED} SIGKILL")
        programs = list(PROGRAMS)
        for run in range(RUNS):
            self.kill_one(programs[run % len(programs)], instants.uniform(0, self.span * casemate.SLOW))
        done = casemate.run(["gc", "--json"], env=self.env)
        self.assertEqual(done.code, 0, done.tell())
        self.assertEqual(self.folders(), [])
        self.assertEqual(self.traces.left_since(), [])

    def test_the_next_run_cleans(self):
        self.kill_one("makes closed folders", self.span * casemate.SLOW)
        self.assertEqual(len(self.folders()), 1)
        self.ok(*FLAGS, "-c", "pass")
        self.assertEqual(self.folders(), [])

    def test_a_living_run_keeps_its_folder(self):
        with subprocess.Popen(
            [casemate.BINARY, "run", *FLAGS, "--stdin", "-c", "print('begun', flush=True); input(); open('x', 'w')"],
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            self.assertEqual(process.stdout.readline(), b"begun\n")
            casemate.run(["gc"], env=self.env)
            self.ok(*FLAGS, "-c", "pass")
            process.stdin.write(b"go\n")
            process.stdin.close()
            self.assertEqual(process.wait(20 * casemate.SLOW), 0)
        self.assertEqual(self.folders(), [])


if __name__ == "__main__":
    unittest.main()
