#!/usr/bin/env python3
"""casemate bench: its figures agree with each other, in text and as JSON."""

import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402


class Bench(Case):
    def bench(self, *arguments, **options):
        options.setdefault("env", self.env)
        done = casemate.run(["bench", *arguments], **options)
        self.assertFalse(done.hung)
        return done

    def check_times(self, times):
        ordered = [times[key] for key in ("min_us", "p50_us", "p75_us", "p90_us", "p95_us", "p99_us", "p999_us")]
        self.assertEqual(ordered, sorted(ordered))
        self.assertLessEqual(ordered[-1], times["max_us"])
        self.assertEqual(sum(bucket["count"] for bucket in times["histogram"]), times["count"])

    def test_figures_as_data(self):
        done = self.bench("--cold", "--rounds", "8", "--clients", "2", "--json", "-c", "result = 1")
        self.assertEqual((done.code, done.problem), (0, None), done.stderr)
        told = done.json
        self.assertEqual((told["engine"], told["runs"], told["rounds"], told["clients"]), ("cold", 8, 8, 2))
        self.assertEqual(told["statuses"], {"ok": 8})
        self.assertAlmostEqual(told["rate"], 8 / told["seconds"], delta=told["rate"] / 100)
        self.check_times(told["whole"])
        self.assertEqual(told["whole"]["count"], 8)
        self.assertIn("run", [step["step"] for step in told["steps"]])
        for step in told["steps"]:
            self.check_times(step)
            self.assertLessEqual(step["max_us"], told["whole"]["max_us"])

    def test_slow_program_is_seen(self):
        told = self.bench("--cold", "--rounds", "2", "--json", "-c", "import time; time.sleep(0.5)").json
        self.assertGreaterEqual(told["whole"]["min_us"], 490_000)

    def test_table_and_bars(self):
        file = self.program("1/0")
        done = self.bench("--cold", "--rounds", "5", file, env={**self.env, "LC_ALL": "C.UTF-8"})
        self.assertEqual(done.code, 0, done.stderr)
        text = done.stdout.decode()
        for part in ("5/5", "error 5", "p50", "whole run", "teardown", "█"):
            self.assertIn(part, text)
        done = self.bench("--cold", "--rounds", "5", "--no-color", file)
        self.assertIn("####", done.stdout.decode("ascii"))

    def test_what_cannot_be_measured(self):
        for arguments, code, says in (
            (["nowhere.py"], 127, "nowhere.py"),
            (["--rounds", "x"], 126, "--rounds"),
            (["--cold", "--python", "/nowhere", "pass"], None, "/nowhere"),
        ):
            done = self.bench(*arguments)
            self.assertEqual(done.stdout, b"", arguments)
            self.assertNotEqual(done.code, 0, arguments)
            if code is not None:
                self.assertEqual(done.code, code, arguments)
            self.assertIn(says, done.stderr.decode())

    def test_ctrl_c_tells_what_was_measured_until_then(self):
        process = casemate.start(
            ["bench", "--cold", "--rounds", "1000000"], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        time.sleep(2 * casemate.SLOW)
        process.send_signal(signal.SIGINT)
        text = process.stdout.read().decode()
        process.stdout.close()
        process.stderr.close()
        casemate.finish(process)
        self.assertEqual(process.returncode, 130)
        self.assertIn("/1000000", text)
        self.assertNotIn("cancelled", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
