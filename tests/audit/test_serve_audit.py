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
        engine = Engine(self.place / "s", self.env, "--pool-size", "1", "--log-level", "debug", "--audit-sink",
                        f"syslog:{sink}")
        try:
            token = self.place / "token"
            token.write_text("a value of a secret")
            os.chmod(token, 0o600)
            engine.run(code="import os; print(os.environ['T'])", secrets={"T": f"file:{token}"})
            engine.run(code="import socket; socket.create_connection(('192.0.2.1', 80), 1)")
            engine.run(code="while True: pass", limits={"wall_time_ms": 300})
            session = json.loads(engine.ask("POST", "/v1/sessions", "{}")[1])["id"]
            for step in ({"code": "x = 1"}, {"code": "while True: pass", "limits": {"wall_time_ms": 200}}):
                engine.ask("POST", f"/v1/sessions/{session}/run", json.dumps(step))
            casemate.settle(lambda: b"sink_lag" not in engine.ask("GET", "/metrics")[1], 20)
            metrics = engine.ask("GET", "/metrics")[1].decode()
        finally:
            self.assertEqual(engine.end(), 0)
        names = set(checkers.metric_names(metrics))
        self.assertIn("casemate_secrets_resolved_total 1\n", metrics)
        self.assertIn('casemate_redactions_total{rule="known"} 1\n', metrics)
        self.assertIn('casemate_limits_hit_total{limit="wall_time"} 2\n', metrics)
        self.assertIn("casemate_queue_waiting 0\n", metrics)
        self.assertNotIn("a value of a secret", metrics)
        asked = set(re.findall(r"\b((?:casemate|process)_\w+)", DASHBOARD.read_text()))
        self.assertEqual(asked - names, set(), "the dashboard asks for metrics that there are not")
        for line in ('casemate_session_steps_total{status="ok",surface="http"} 1\n',
                     'casemate_session_steps_total{status="timeout",surface="http"} 1\n',
                     "casemate_sessions_opened_total 1\n", "casemate_audit_prune_failing 0\n",
                     'casemate_session_step_duration_seconds_count{surface="http"} 2\n'):
            self.assertIn(line, metrics)
        if shutil.which("promtool"):
            checked = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True,
                                     check=False)
            self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_steps_are_in_the_log_and_failed_retention_is_told(self):
        folder = self.state / "audit"
        env = {**self.env, "CASEMATE_AUDIT_KEEP_BYTES": "1k", "CASEMATE_AUDIT_SEGMENT_BYTES": "2k"}
        self.ok("-c", "pass", env={**self.env, "CASEMATE_AUDIT_SEGMENT_BYTES": "1k"})
        # A folder in the place of a segment cannot be read.
        damaged = folder / "99999999.jsonl"
        damaged.mkdir()
        engine = Engine(self.place / "s", env, "--pool-size", "1", "--log-level", "debug")
        try:
            session = json.loads(engine.ask("POST", "/v1/sessions", "{}")[1])["id"]
            engine.ask("POST", f"/v1/sessions/{session}/run", json.dumps({"code": "1/0"}))
            engine.ask("DELETE", f"/v1/sessions/{session}")
            for _ in range(3):
                self.assertEqual(engine.run(code="pass")[0], 200)
            self.assertFalse(casemate.settle(
                lambda: b"casemate_audit_prune_failing 1\n" not in engine.ask("GET", "/metrics")[1], 20))
        finally:
            engine.process.send_signal(15)
            told = engine.first_line + engine.process.stderr.read().decode()
            self.assertEqual(engine.end(), 0)
        self.assertRegex(told, r'msg="a step has ended" id=\S+ session=' + session)
        self.assertIn('msg="a session has begun"', told)
        self.assertIn("cannot be kept within its bounds", told)
        damaged.rmdir()
        stats = casemate.run(["audit", "stats"], env=self.env).stdout.decode()
        self.assertIn("is not kept within its bounds", stats)
        for _ in range(3):
            self.ok("-c", "pass", env=env)
        retention = json.loads(casemate.run(["audit", "stats", "--json"], env=self.env).stdout)["retention"]
        self.assertEqual(retention["trouble"], "")
        self.assertGreater(retention["pruned_segments"], 0)
        self.assertGreater(retention["failures"], 0)

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
