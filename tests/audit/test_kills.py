#!/usr/bin/env python3
"""SIGKILL at any instant of whole runs, cold and through a resident engine under load, loses no record that was
acknowledged: a result that came back has both its records, a program that began has its intent, and the chain holds.

CASEMATE_AUDIT_SOAK_KILLS (20) is the number of instants, half of them for each way; the seed is printed, and
CASEMATE_AUDIT_SOAK_SEED repeats a series.
"""

import json
import os
import pathlib
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine, UnixConnection  # noqa: E402

KILLS = int(os.environ.get("CASEMATE_AUDIT_SOAK_KILLS", "20"))
SEED = int(os.environ.get("CASEMATE_AUDIT_SOAK_SEED", secrets.randbelow(10**6)))
PEERS = 3


class Peer(threading.Thread):
    """Runs programs at an engine until it is gone; the ids of the results that came back."""

    def __init__(self, path):
        super().__init__()
        self.path, self.ids = path, []

    def run(self):
        connection = UnixConnection(self.path)
        try:
            while True:
                connection.request("POST", "/v1/run", json.dumps({"code": "print('x')"}))
                answer = connection.getresponse()
                result = json.loads(answer.read())
                if answer.status == 200:
                    self.ids.append(result["id"])
        except (OSError, ValueError, EOFError):
            pass
        except Exception as error:  # http.client's own, for an answer that broke off
            if type(error).__module__ != "http.client":
                raise
        finally:
            connection.close()


class Kills(Case):
    def setUp(self):
        super().setUp()
        self.env = {**type(self).env, "CASEMATE_STATE_DIR": str(self.place / "state")}
        self.random = random.Random(SEED)
        print(f"seed {SEED}", file=sys.stderr)

    def check(self, answered, begun):
        """`answered` are ids of results; `begun` how many programs at least have an intent without one."""
        self.ok("-c", "pass")
        done = casemate.run(["audit", "verify", "--json"], env=self.env)
        self.assertEqual(done.code, 0, done.stdout[-3000:])
        rows = {}
        for line in casemate.run(["audit", "list", "--json"], env=self.env).stdout.splitlines():
            row = json.loads(line)
            rows[row["id"]] = row
        lost = [run for run in answered if rows.get(run, {}).get("status") != "ok"]
        self.assertEqual(lost, [])
        self.assertGreaterEqual(len(rows), len(answered) + begun)

    def test_cold_runs(self):
        answered, begun = [], 0
        window = 10.0
        for _ in range(KILLS // 2):
            process = casemate.start(["run", "--json", "--workspace", f"{self.place}:rw", "-c",
                                      "open('/workspace/begun', 'w').close()"],
                                     env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            start = time.monotonic()
            try:
                process.wait(self.random.random() * window)
                # It was too late; a run takes no longer than that.
                window = min(window, time.monotonic() - start)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            text = process.stdout.read()
            process.stdout.close()
            casemate.finish(process)
            mark = self.place / "begun"
            if text.endswith(b"}\n"):
                answered.append(json.loads(text)["id"])
            elif mark.exists():
                begun += 1
            mark.unlink(missing_ok=True)
        print(f"{len(answered)} answered, {begun} begun", file=sys.stderr)
        self.check(answered, begun)

    def test_runs_of_a_resident_engine(self):
        answered = []
        for number in range(KILLS - KILLS // 2):
            engine = Engine(self.place / f"s{number}", self.env, "--pool-size", "2")
            self.assertIn("serving at", engine.first_line)
            peers = [Peer(engine.path) for _ in range(PEERS)]
            for peer in peers:
                peer.start()
            time.sleep(self.random.random() * 0.5 * casemate.SLOW)
            engine.end(signal.SIGKILL)
            for peer in peers:
                peer.join()
                answered += peer.ids
        print(f"{len(answered)} answered", file=sys.stderr)
        self.assertTrue(answered)
        self.check(answered, 0)


if __name__ == "__main__":
    unittest.main()
