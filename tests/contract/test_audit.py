#!/usr/bin/env python3
"""The audit log: two records a run, no values in them, no run without them, nothing lost to kills; metrics."""

import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine  # noqa: E402

PLANTED = "PLANTED-4f9a-SECRET"
# How many runs are ended by SIGKILL; the promise is measured with more.
KILLS = int(os.environ.get("CASEMATE_AUDIT_KILLS", "10"))


class AuditTest(Case):
    def setUp(self):
        super().setUp()
        self.state = self.place / "state"
        self.log = self.state / "audit"
        self.env = {**type(self).env, "CASEMATE_STATE_DIR": str(self.state)}

    def audit(self, *arguments, code=0):
        done = casemate.run(["audit", *arguments], env=self.env)
        self.assertEqual(done.code, code, f"{done.stdout[-500:]} {done.stderr[-500:]}")
        return done.stdout.decode()

    def records(self):
        lines = (self.log / "00000001.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def verify(self, code=0):
        return json.loads(self.audit("verify", "--json", code=code))

    def test_a_run_has_two_records_and_each_can_be_checked_by_hand(self):
        done = self.ok("--input", '{"n": 1}', "-c", "print(INPUT_DATA)")
        first, intent, outcome = self.records()
        self.assertEqual([r["kind"] for r in (first, intent, outcome)], ["log", "intent", "outcome"])
        self.assertEqual(intent["id"], done["id"])
        self.assertEqual(intent["surface"], "cli")
        self.assertEqual(intent["caller"], f"uid:{os.getuid()}")
        self.assertEqual(intent["code"]["sha256"], done["code_sha256"])
        self.assertEqual(intent["isolation"]["tier"], done["isolation"]["tier"])
        self.assertEqual(outcome["status"], "ok")
        self.assertEqual(outcome["stdout"]["sha256"], hashlib.sha256(done["stdout"].encode()).hexdigest())
        line = (self.log / "00000001.jsonl").read_bytes().splitlines()[2]
        hashed, _, rest = line.rpartition(b',"hash":"')
        self.assertEqual(hashlib.sha256(hashed).hexdigest().encode(), rest[:64])
        self.assertEqual(self.verify()["intact"], True)

    def test_values_are_in_no_sink(self):
        program = self.program(f"import os, sys; print('{PLANTED}', os.environ['TOKEN'], file=sys.stderr)\n"
                               f"print(INPUT_DATA)\nresult = '{PLANTED}'\nraise ValueError('{PLANTED}')")
        given = ["-e", f"TOKEN={PLANTED}", "--input", json.dumps(PLANTED)]
        self.run_json(*given, program, PLANTED, stdin=PLANTED.encode())
        self.audit("list")
        for path in self.state.rglob("*"):
            if path.is_file():
                self.assertNotIn(PLANTED.encode(), path.read_bytes(), path)
        for sink in (["export"], ["export", "--format", "csv"], ["export", "--format", "ocsf"], ["tail"], ["stats"]):
            self.assertNotIn(PLANTED, self.audit(*sink))

    def test_lists_and_shows_what_was_refused(self):
        self.run_json("-c", "import socket; socket.create_connection(('192.0.2.1', 80), 1)")
        self.ok("-c", "pass")
        self.status("rejected", "--policy", "nonesuch", "-c", "pass")
        rows = [json.loads(line) for line in self.audit("list", "--json").splitlines()]
        self.assertEqual([row["status"] for row in rows], ["error", "ok", "rejected"])
        denied = [json.loads(line) for line in self.audit("list", "--json", "--denial", "any").splitlines()]
        self.assertEqual([row["id"] for row in denied], [rows[0]["id"]])
        self.assertIn("192.0.2.1", self.audit("show", rows[0]["id"]))
        self.assertEqual(self.audit("list", "--json", "--since", "1h", "--status", "ok").count("\n"), 1)
        self.audit("show", "run-nonesuch", code=126)
        self.audit("lisst", code=126)
        self.audit("list", "--since", "yesterday", code=126)

    def test_nothing_runs_that_cannot_be_recorded(self):
        self.state.mkdir()
        self.log.write_text("in the way")
        mark = self.place / "mark"
        done = self.status("unavailable", "--workspace", f"{self.place}:rw", "-c", "open('/workspace/mark', 'w')")
        self.assertIn("audit log", done["error"]["message"])
        self.assertFalse(mark.exists())

    def test_an_edit_is_found_and_located(self):
        self.ok("-c", "pass")
        self.ok("-c", "pass")
        segment = self.log / "00000001.jsonl"
        segment.write_text(segment.read_text().replace('"status":"ok"', '"status":"no"', 1))
        verdict = self.verify(code=1)
        broken = [f for f in verdict["findings"] if f["severity"] == "broken"]
        self.assertEqual([(f["kind"], f["seq"]) for f in broken], [("edited", 3)])

    def test_kills_lose_no_record_that_was_acknowledged(self):
        started = []
        for _ in range(KILLS):
            process = casemate.start(["run", "-c", "print('begun', flush=True); import time; time.sleep(9)"],
                                     env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            # The program's first word proves that its intent was acknowledged.
            if random.random() < 0.5:
                started.append(process.stdout.read(5))
            else:
                time.sleep(random.random() * 0.05)
            process.send_signal(signal.SIGKILL)
            casemate.finish(process)
            process.stdout.close()
        self.ok("-c", "pass")
        self.assertEqual(self.verify()["intact"], True)
        kinds = [record["kind"] for record in self.records()]
        self.assertGreaterEqual(kinds.count("intent"), len(started) + 1)
        self.assertEqual(self.audit("list", "--json", "--status", "open").count("\n"), kinds.count("intent") - 1)

    def test_a_resident_engine_records_its_peers_and_tells_metrics(self):
        engine = Engine(self.place / "s", self.env, "--pool-size", "1")
        try:
            trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            body = json.dumps({"code": "print(1)"})
            self.assertEqual(engine.ask("POST", "/v1/run", body, {"traceparent": trace})[0], 200)
            status, metrics = engine.ask("GET", "/metrics")
            self.assertEqual(status, 200)
            metrics = metrics.decode()
            self.assertRegex(metrics, r'casemate_runs_total\{status="ok",tier="\w+",surface="http"\} 1\n')
            form = re.compile(r'^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [0-9.e+-]+)$')
            for line in metrics.splitlines():
                self.assertRegex(line, form)
            if shutil.which("promtool"):
                command = ["promtool", "check", "metrics"]
                checked = subprocess.run(command, input=metrics, capture_output=True, text=True, check=False)
                self.assertEqual(checked.returncode, 0, checked.stderr)
            top = casemate.run(["top", "--once", "--interval", "100ms", "--engine", engine.path], env=self.env)
            self.assertEqual(top.code, 0, top.stderr)
            self.assertIn(b"runs/s", top.stdout)
        finally:
            self.assertEqual(engine.end(), 0)
        intent = [r for r in self.records() if r["kind"] == "intent"][-1]
        self.assertEqual((intent["surface"], intent["trace_parent"]), ("http", trace))
        self.assertEqual(intent["caller"], f"uid:{os.getuid()}")
        # It signs at its end.
        self.assertEqual(self.records()[-1]["kind"], "checkpoint")
        verdict = self.verify()
        self.assertTrue(verdict["intact"])
        self.assertEqual(verdict["signed_seq"], verdict["last_seq"])


if __name__ == "__main__":
    casemate.die_with_tests()
    unittest.main()
