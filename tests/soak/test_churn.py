#!/usr/bin/env python3
"""Sessions that come and go in every way that there is, against one engine: afterwards it has as much memory, as many
descriptors, threads, processes, cgroups and mounts as before.

CASEMATE_CHURN_SECONDS (8) is how long it goes on, CASEMATE_CHURN_WORKERS (4) how many clients there are,
CASEMATE_CHURN_SHARE (1.0) the part of its time that each of them is busy: with less it rests after each life, so that
an hour leaves the host to others too. What the engine holds is printed on the way. The seed is printed; set
CASEMATE_CHURN_SEED to repeat a series.
"""

import collections
import http.client
import json
import os
import pathlib
import random
import secrets
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402
from held import at_rest, descriptors_by_kind, held  # noqa: E402
from http_api import HttpEngine, add_key  # noqa: E402

POOL = 4
SECONDS = float(os.environ.get("CASEMATE_CHURN_SECONDS", "8"))
WORKERS = int(os.environ.get("CASEMATE_CHURN_WORKERS", "4"))
SHARE = float(os.environ.get("CASEMATE_CHURN_SHARE", "1"))
SEED = int(os.environ.get("CASEMATE_CHURN_SEED", secrets.randbelow(10**6)))
# The engine's own memory may differ by what its allocators keep.
GROWTH_KIB = 8 << 10
PRINTS = "for n in range(200000): print('x' * 100, flush=True)"
STREAM = {"Accept": "text/event-stream"}


class Client:
    """One client's life: each of its ways is an attribute that begins with `way_`."""

    def __init__(self, engine, key, rng, seen):
        self.engine, self.key, self.rng, self.seen = engine, key, rng, seen
        self.ways = [name for name in dir(self) if name.startswith("way_")]

    def ask(self, method, target, body=None, expected=(200, 201, 204)):
        status, _, answer = self.engine.ask_tcp(method, target, body if body is None else json.dumps(body), self.key)
        assert status in expected, (method, target, status, answer[:300])
        return json.loads(answer) if answer else None

    def raw(self, method, target, body, fields=STREAM):
        """A connection on which a request was sent and nothing was read."""
        text = json.dumps(body)
        head = "".join(f"{name}: {value}\r\n" for name, value in {
            "Host": f"127.0.0.1:{self.engine.port}", "Authorization": f"Bearer {self.key}",
            "Content-Length": len(text), **fields}.items())
        connection = socket.create_connection(("127.0.0.1", self.engine.port), 60 * casemate.SLOW)
        connection.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n{text}".encode())
        return connection

    def session(self):
        return "/v1/sessions/" + self.ask("POST", "/v1/sessions", {"idle_timeout_ms": 60000})["id"]

    def once(self):
        way = self.rng.choice(self.ways)
        getattr(self, way)()
        self.seen[way] += 1

    def way_steps(self):
        session = self.session()
        for number in range(5):
            result = self.ask("POST", f"{session}/run", {"code": f"x = {number}\nx"})
            assert result["result"] == number, result
        self.ask("DELETE", session)

    def way_forks(self):
        session = self.session()
        self.ask("POST", f"{session}/run", {"code": "state = [bytearray(4000) for _ in range(1000)]"})
        copies = self.ask("POST", f"{session}/fork", {"count": self.rng.choice((1, 3))})["sessions"]
        for copy in copies:
            result = self.ask("POST", f"/v1/sessions/{copy['id']}/run", {"code": "len(state)"})
            assert result["result"] == 1000, result
        self.ask("POST", f"{session}/checkpoints", {})
        for each in self.rng.sample([session, *(f"/v1/sessions/{copy['id']}" for copy in copies)], len(copies) + 1):
            self.ask("DELETE", each)

    def way_killed(self):
        session = self.session()
        code = self.rng.choice(("import os; os._exit(3)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
                                "x = bytearray(10**10)", "import os\nos.fork()\nos.abort()"))
        self.ask("POST", f"{session}/run", {"code": code})
        self.ask("DELETE", session)

    def way_closed_in_a_step(self):
        session = self.session()
        connection = self.raw("POST", f"{session}/run", {"code": "import time; time.sleep(60)"})
        time.sleep(self.rng.random() * 0.2)
        self.ask("DELETE", session)
        connection.close()

    def way_vanishes_mid_stream(self):
        session = self.session()
        connection = self.raw("POST", f"{session}/run", {"code": PRINTS})
        connection.recv(2000)
        # A reset, as of a client whose host is gone.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
        self.ask("DELETE", session)

    def way_reads_slowly(self):
        session = self.session()
        connection = self.raw("POST", f"{session}/run", {"code": PRINTS, "limits": {"wall_time_ms": 1000}})
        for _ in range(5):
            connection.recv(100)
            time.sleep(0.05)
        connection.close()
        self.ask("DELETE", session)

    def way_half_open(self):
        connection = socket.create_connection(("127.0.0.1", self.engine.port), 60 * casemate.SLOW)
        connection.sendall(b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Le"[:self.rng.randrange(1, 48)])
        if self.rng.random() < 0.5:
            connection.shutdown(socket.SHUT_WR)
        time.sleep(self.rng.random() * 0.2)
        connection.close()

    def way_half_closed_with_a_step(self):
        session = self.session()
        connection = self.raw("POST", f"{session}/run", {"code": "1"})
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
        connection.close()
        self.ask("DELETE", session)

    def way_watches(self):
        session = self.session()
        connection = self.raw("GET", f"{session}/files?watch", None)
        connection.recv(100)
        self.ask("POST", f"{session}/run", {"code": "open('f', 'w').write('x')"})
        connection.close()
        self.ask("DELETE", session)

    def way_runs(self):
        result = self.ask("POST", "/v1/run", {"code": "result = 6 * 7"})
        assert result["result"] == 42, result


class Churn(Case):
    def churn(self, seconds, tell_every=None):
        failures = []

        def work(number):
            client = Client(self.engine, self.key, random.Random(SEED + number), self.seen)
            end = time.monotonic() + seconds
            while time.monotonic() < end and not failures:
                begin = time.monotonic()
                try:
                    client.once()
                except (AssertionError, OSError, http.client.HTTPException) as error:
                    failures.append(repr(error))
                time.sleep((time.monotonic() - begin) * (1 / SHARE - 1))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(WORKERS)]
        for thread in threads:
            thread.start()
        begin = told = time.monotonic()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.2)
            if tell_every and time.monotonic() - told > tell_every:
                told = time.monotonic()
                print(f"{told - begin:6.0f} s  {sum(self.seen.values())} lives  {held(self.engine)}", flush=True)
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_leaves_as_much_as_there_was(self):
        self.key = add_key(self.env, "churn", "--scopes", "run,sessions")
        # The audit log prunes itself, so that it does not fill the disk with what is not looked at here.
        env = {**self.env, "CASEMATE_AUDIT_KEEP_BYTES": str(128 << 20)}
        self.engine = HttpEngine(self.place / "engine.sock", env, "--pool-size", str(POOL))
        self.addCleanup(self.engine.end)
        self.seen = collections.Counter()
        print(f"seed {SEED}", flush=True)
        self.churn(max(4.0, min(SECONDS / 5, 120.0)))  # what grows once has grown
        before = at_rest(self.engine, POOL)
        kinds = descriptors_by_kind(self.engine)
        self.seen.clear()
        self.churn(SECONDS, tell_every=max(6.0, SECONDS / 30) if SECONDS >= 60 else None)
        self.assertGreater(sum(self.seen.values()), 0)
        after = at_rest(self.engine, POOL)
        print(f"before {before}\nafter  {after}\n{sum(self.seen.values())} lives: {dict(sorted(self.seen.items()))}",
              flush=True)
        more = {name: (before[name], after[name]) for name in before
                if name != "rss_kib" and after[name] > before[name]}
        self.assertEqual(more, {}, (kinds, descriptors_by_kind(self.engine)))
        if not casemate.SANITIZED:  # it keeps what is freed
            self.assertLess(after["rss_kib"], before["rss_kib"] + GROWTH_KIB)
        self.assertEqual(json.loads(self.engine.ask_tcp("GET", "/v1/sessions", None, self.key)[2]), {"sessions": []})


if __name__ == "__main__":
    casemate.die_with_tests()
    unittest.main(verbosity=2)
