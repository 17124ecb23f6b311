#!/usr/bin/env python3
"""What a resident engine tells: logs that are structured, levelled and redacted, metrics that Prometheus reads and the
dashboard asks for, and a log that keeps itself within bounds."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
import checkers  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine  # noqa: E402

DASHBOARD = casemate.REPOSITORY / "deploy" / "grafana" / "casemate.json"


class ServeAudit(Case):
    def setUp(self):
        super().setUp()
        self.state = self.place / "state"
        self.env = {**type(self).env, "CASEMATE_STATE_DIR": str(self.state)}

    def test_logs_are_json_and_hold_no_secret(self):
        key = "AKIA" + "QX7LPGHT2MNVBZRW"
        engine = Engine(self.place / "s", self.env, "--pool-size", "0", "--log-format", "json", "--log-level", "debug")
        try:
            engine.ask("POST", "/v1/run", json.dumps({"code": f"print('{key}')", "env": {"A": key}}))
            engine.run(code="pass", policy=key)
            engine.run(code="import socket; socket.create_connection(('192.0.2.1', 80), 1)")
        finally:
            engine.process.send_signal(15)
            text = engine.first_line + engine.process.stderr.read().decode()
            self.assertEqual(engine.end(), 0)
        lines = [json.loads(line) for line in text.splitlines()]
        self.assertEqual(lines[0]["level"], "info")
        self.assertIn("serving at", lines[0]["msg"])
        runs = [line for line in lines if line["msg"] == "a run has ended"]
        self.assertEqual([(run["level"], run["status"]) for run in runs],
                         [("debug", "ok"), ("info", "rejected"), ("info", "error")])
        self.assertNotIn(key, text)
        self.assertIn("[REDACTED", runs[1]["reason"])

    def test_levels_leave_out_what_is_below(self):
        engine = Engine(self.place / "s", self.env, "--pool-size", "0", "--log-level=error")
        engine.run(code="pass")
        engine.process.send_signal(15)
        self.assertEqual(engine.process.stderr.read(), b"")
        self.assertEqual(engine.end(), 0)
        for flags in (["--log-level", "loud"], ["--log-format", "xml"], ["--audit-sink", "nowhere"],
                      ["--audit-keep", "soon"], ["--audit-keep-bytes", "many"]):
            self.assertEqual(casemate.run(["serve", "--socket", str(self.place / "t"), *flags], env=self.env).code, 126)

    def test_metrics_are_prometheus_and_the_dashboard_finds_them(self):
        sink = self.place / "nobody"
        engine = Engine(self.place / "s", self.env, "--pool-size", "1", "--audit-sink", f"syslog:{sink}")
        try:
            token = self.place / "token"
            token.write_text("a value of a secret")
            os.chmod(token, 0o600)
            engine.run(code="import os; print(os.environ['T'])", secrets={"T": f"file:{token}"})
            engine.run(code="import socket; socket.create_connection(('192.0.2.1', 80), 1)")
            engine.run(code="while True: pass", limits={"wall_time_ms": 300})
            casemate.settle(lambda: b"sink_lag" not in engine.ask("GET", "/metrics")[1], 20)
            metrics = engine.ask("GET", "/metrics")[1].decode()
        finally:
            self.assertEqual(engine.end(), 0)
        names = set(checkers.metric_names(metrics))
        self.assertIn("casemate_secrets_resolved_total 1\n", metrics)
        self.assertIn('casemate_redactions_total{rule="known"} 1\n', metrics)
        self.assertIn('casemate_limits_hit_total{limit="wall_time"} 1\n', metrics)
        self.assertIn("casemate_queue_waiting 0\n", metrics)
        self.assertNotIn("a value of a secret", metrics)
        asked = set(re.findall(r"\b((?:casemate|process)_\w+)", DASHBOARD.read_text()))
        self.assertEqual(asked - names, set(), "the dashboard asks for metrics that there are not")
        if shutil.which("promtool"):
            checked = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True,
                                     check=False)
            self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_the_log_keeps_itself_within_bounds(self):
        self.ok("-c", "pass")
        folder = self.state / "audit"
        # A segment that is full, whose records are chained: the next run begins a new one.
        first = folder / "00000001.jsonl"
        env = {**self.env, "CASEMATE_AUDIT_KEEP_BYTES": "1k", "CASEMATE_AUDIT_SEGMENT_BYTES": "2k"}
        for _ in range(4):
            self.ok("-c", "pass", env=env)
        self.assertFalse(first.exists())
        verdict = json.loads(casemate.run(["audit", "verify", "--json"], env=self.env).stdout)
        self.assertTrue(verdict["intact"], verdict)
        self.assertIn("pruned", [finding["kind"] for finding in verdict["findings"]])
        self.status("rejected", "-c", "pass", env={**env, "CASEMATE_AUDIT_KEEP_BYTES": "some"})


if __name__ == "__main__":
    unittest.main()
