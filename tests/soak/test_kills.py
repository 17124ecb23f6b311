#!/usr/bin/env python3
"""SIGKILL of the engine or of its zygote at random instants under load: each run that was sent has an answer, or an
error that says what became of it, the audit log agrees, and nothing is left behind.

CASEMATE_SOAK_KILLS (12) is the number of instants. The seed is printed; set CASEMATE_SOAK_SEED to repeat a series.
"""

import collections
import contextlib
import http.client
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
from held import cgroups_of  # noqa: E402

KILLS = int(os.environ.get("CASEMATE_SOAK_KILLS", "12"))
SEED = int(os.environ.get("CASEMATE_SOAK_SEED", secrets.randbelow(10**6)))
HTTP_PEERS, COMMANDS = 4, 2
LONGEST_S = 0.5 * casemate.SLOW
# So long a run waits for its answer, although the engine may be stopped by whoever measures on this host.
PATIENCE_MS = 120000


class Peer(threading.Thread):
    """Sends runs one after the other until it is told to stop, or its engine is gone; what became of each."""

    def __init__(self, engine, numbers, seed):
        super().__init__()
        self.engine, self.numbers, self.rng = engine, numbers, random.Random(seed)
        self.stopping = False
        self.outcomes = []  # (kind, id or None, text)

    def request(self):
        number = next(self.numbers)
        rest = self.rng.choice((0, 0, 0.02))
        return number, f"import time; time.sleep({rest}); result = {number}"

    def run(self):
        while not self.stopping:
            self.once()
        self.end()

    def end(self):
        """Lets go of what it holds."""

    def take(self, number, result):
        """A result that is whole: the program's own, or a failure that is told."""
        status, error = result["status"], result.get("error") or {}
        if status == "ok" and result["result"] == number:
            self.outcomes.append(("ok", result["id"], ""))
        elif status in ("failed", "unavailable") and error.get("message"):
            self.outcomes.append((status, result["id"], error["message"]))
        else:
            self.outcomes.append(("wrong", result["id"], json.dumps(result)[:600]))


class HttpPeer(Peer):
    connection = None

    def end(self):
        if self.connection is not None:
            self.connection.close()

    def once(self):
        number, code = self.request()
        self.connection = self.connection or UnixConnection(self.engine.path)
        body = json.dumps({"code": code, "limits": {"wall_time_ms": PATIENCE_MS}})
        try:
            self.connection.request("POST", "/v1/run", body)
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            # Nobody else may have ended the connection than the death of the engine.
            self.outcomes.append(("lost", None, repr(error)))
            self.stopping = True
            return
        if answer.status == 200:
            self.take(number, json.loads(text))
        else:
            detail = json.loads(text).get("detail", "")
            self.outcomes.append(("refused" if detail else "wrong", None, f"{answer.status} {detail}"))


class Command(Peer):
    """`casemate run`, with an engine that it must ask, and with one that it asks when it is there."""

    def once(self):
        number, code = self.request()
        env = self.engine.env
        words = ["run", "--json", "--timeout", f"{PATIENCE_MS}ms"]
        if self.rng.random() < 0.5:
            words += ["--engine", self.engine.path]
        else:
            env = {**env, "CASEMATE_SOCKET": self.engine.path}
        process = casemate.start([*words, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate()
        casemate.finish(process)
        try:
            result = casemate.strict_json(out.decode())
        except ValueError:
            told = process.returncode in (125, 126) and b"casemate: " in err
            self.outcomes.append(("refused" if told else "wrong", None, f"{process.returncode} {err[-300:]!r}"))
            return
        self.take(number, result)


class Kills(Case):
    def setUp(self):
        super().setUp()
        self.env = {**type(self).env, "CASEMATE_STATE_DIR": str(self.place / "state")}
        self.rng, self.numbers = random.Random(SEED), iter(range(10**9))
        self.outcomes, self.peers = [], []
        print(f"seed {SEED}", flush=True)

    def begin(self):
        self.engine = Engine(self.place / "engine.sock", self.env, "--pool-size", "4")
        self.engine.env = self.env
        self.addCleanup(self.engine.end)
        self.assertFalse(casemate.settle(lambda: not self.engine.answers(), 30))
        self.peers = [kind(self.engine, self.numbers, self.rng.random())
                      for kind in [HttpPeer] * HTTP_PEERS + [Command] * COMMANDS]
        for peer in self.peers:
            peer.start()

    def finish(self):
        for peer in self.peers:
            peer.stopping = True
        for peer in self.peers:
            peer.join(PATIENCE_MS / 1000)
            self.assertFalse(peer.is_alive(), "a client still waits for its answer")
            self.outcomes += peer.outcomes
        self.peers = []

    def kill_engine(self):
        pid = self.engine.process.pid
        self.engine.end(signal.SIGKILL)
        self.finish()
        self.assertEqual(casemate.settle(casemate.orphans, 20), [])
        self.begin()
        # What a dead engine could not take away, the next one does.
        self.assertEqual(casemate.settle(lambda: cgroups_of(pid), 20), [])

    def kill_zygote(self):
        before = sum(peer.outcomes[-1:] == [] or peer.outcomes[-1][0] != "lost" for peer in self.peers)
        for victim in self.engine.zygotes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        self.assertIsNone(self.engine.process.poll(), "the engine died of its zygote's death")
        self.assertEqual(before, len(self.peers), "a connection ended without the engine's death")

    def test_no_run_is_lost_in_silence(self):
        kills = collections.Counter()
        self.begin()
        for _ in range(KILLS):
            time.sleep(self.rng.random() * LONGEST_S)
            kill = self.rng.choice((self.kill_engine, self.kill_zygote))
            kill()
            kills[kill.__name__] += 1
        time.sleep(1)
        self.finish()
        self.assertEqual(self.engine.end(), 0)
        seen = collections.Counter(kind for kind, _, _ in self.outcomes)
        texts = collections.Counter((kind, text[:160]) for kind, _, text in self.outcomes
                                    if kind not in ("ok", "wrong"))
        print(f"{dict(kills)}; {dict(seen)}", flush=True)
        for (kind, text), count in texts.most_common(12):
            print(f"  {count:5} {kind}: {text}", flush=True)
        self.assertEqual([outcome for outcome in self.outcomes if outcome[0] == "wrong"], [])
        self.assertGreater(seen["ok"], KILLS)
        self.check_log()

    def check_log(self):
        """Each answer has its record, and what has an intent alone is no more than what was lost."""
        verified = casemate.run(["audit", "verify", "--json"], env=self.env)
        self.assertEqual(verified.code, 0, verified.stdout[-2000:])
        listed = casemate.run(["audit", "list", "--json"], env=self.env).stdout.splitlines()
        rows = {row["id"]: row["status"] for row in map(json.loads, listed)}
        differ = [(kind, text, rows.get(number)) for kind, number, text in self.outcomes
                  if kind in ("ok", "failed") and number and rows.get(number) != kind]
        self.assertEqual(differ[:5], [])
        open_ones = sum(status == "open" for status in rows.values())
        lost = sum(kind == "lost" or (kind == "failed" and not number) for kind, number, _ in self.outcomes)
        print(f"{len(rows)} runs in the log, {open_ones} begun and not ended; {lost} clients told so", flush=True)
        self.assertLessEqual(open_ones, lost)


if __name__ == "__main__":
    casemate.die_with_tests()
    unittest.main(verbosity=2)
