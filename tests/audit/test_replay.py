#!/usr/bin/env python3
"""casemate replay: a recorded program runs again as it was, and what cannot be run again says why."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402

RANDOM = "import random; print(random.random(), list({'a', 'b', 'c', 'd', 'e'}), INPUT_DATA['big']); result = 1"


class Replay(Case):
    def setUp(self):
        super().setUp()
        self.env = {**type(self).env, "CASEMATE_STATE_DIR": str(self.place / "state")}

    def replay(self, *arguments, code=0):
        done = casemate.run(["replay", "--json", *arguments], env=self.env)
        self.assertEqual(done.code, code, f"{done.stdout[-800:]} {done.stderr[-800:]}")
        return json.loads(done.stdout) if code in (0, 1) else done.stderr.decode()

    def recorded(self, *arguments):
        return self.run_json("--policy", "recorded", *arguments)

    def test_random_numbers_and_sets_come_out_the_same(self):
        done = self.recorded("--input", '{"big": 123456789012345678901234567890}', "--file", f"f={__file__}", "-c",
                             RANDOM, "an argument")
        self.assertEqual(done["status"], "ok", done.tell())
        self.assertIn("123456789012345678901234567890", done["stdout"])
        report = self.replay(done["id"])
        self.assertTrue(report["same"])
        fields = {point["field"] for point in report["compared"]}
        self.assertLessEqual({"status", "stdout", "result", "seed", "policy.sha256", "environment.sha256"}, fields)
        # A second program of the same text has another seed.
        self.assertNotEqual(self.recorded("--input", '{"big": 1}', "-c", RANDOM)["stdout"].split()[0],
                            done["stdout"].split()[0])

    def test_what_comes_out_otherwise_is_named(self):
        done = self.recorded("-c", "import time; print(time.time_ns())")
        report = self.replay(done["id"], code=1)
        self.assertEqual([p["field"] for p in report["compared"] if not p["same"]], ["stdout"])

    def test_what_was_not_kept_says_why(self):
        self.assertIn("--policy recorded", self.replay(self.ok("-c", "pass")["id"], code=126))
        key = "AKIA" + "QX7LPGHT2MNVBZRW"
        secret = self.recorded("-c", f"x = '{key}'")["id"]
        self.assertIn("secrets", self.replay(secret, code=126))
        for path in (self.place / "state").rglob("*"):
            if path.is_file():
                self.assertNotIn(key.encode(), path.read_bytes(), path)
        self.assertIn("casemate audit list", self.replay("run-0000000000000000", code=126))

    def test_variables_are_asked_for(self):
        done = self.recorded("-e", "WORD=one", "-c", "import os; print(os.environ['WORD'])")
        self.assertIn("--env WORD=VALUE", self.replay(done["id"], code=126))
        self.assertTrue(self.replay(done["id"], "--env", "WORD=one")["same"])
        self.assertFalse(self.replay(done["id"], "--env", "WORD=two", code=1)["same"])
        self.assertNotIn('"one"', (self.place / "state/audit/00000001.jsonl").read_text())

    def test_kept_programs_are_not_shipped(self):
        self.recorded("-c", "marker_of_the_text = 1")
        log = (self.place / "state/audit/00000001.jsonl").read_text()
        self.assertIn("marker_of_the_text", log)
        for form in ("jsonl", "ocsf", "csv"):
            done = casemate.run(["audit", "export", "--format", form], env=self.env)
            self.assertNotIn(b"marker_of_the_text", done.stdout)
        self.assertEqual(casemate.run(["audit", "verify"], env=self.env).code, 0)

    def test_a_seed_can_be_given(self):
        first = self.ok("-e", "CASEMATE_SEED=7", "-c", "import random; print(random.random(), hash('x'))")
        again = self.ok("-e", "CASEMATE_SEED=7", "-c", "import random; print(random.random(), hash('x'))")
        self.assertEqual(first["stdout"], again["stdout"])
        self.status("rejected", "-e", "CASEMATE_SEED=7", "-e", "PYTHONPATH=/x", "-c", "pass")
        self.status("rejected", "-e", "CASEMATE_SEED=seven", "-c", "pass")


if __name__ == "__main__":
    unittest.main()
