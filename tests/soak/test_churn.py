#!/usr/bin/env python3
"""Sessions that come and go in every way that there is, against one engine: afterwards it has as much memory, as many
descriptors, threads, processes, cgroups and mounts as before.

CASEMATE_CHURN_SECONDS (8) is how long it goes on, CASEMATE_CHURN_WORKERS (4) how many clients there are. What the
engine holds is printed ten times on the way. The seed is printed; set CASEMATE_CHURN_SEED to repeat a series.
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
from http_api import HttpEngine, add_key  # noqa: E402

# Namespaces are kept for the next cells (decision 0005); how many depends on how many cells there were at once. Each
# way of a life is taken more often than this.
SLOTS_KEPT = 24
SECONDS = float(os.environ.get("CASEMATE_CHURN_SECONDS", "8"))
WORKERS = int(os.environ.get("CASEMATE_CHURN_WORKERS", "4"))
SEED = int(os.environ.get("CASEMATE_CHURN_SEED", secrets.randbelow(10**6)))
# The engine's own memory may differ by what its allocators keep.
GROWTH_KIB = 12 << 10
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
    def test_leaves_as_much_as_there_was(self):
        key = add_key(self.env, "churn", "--scopes", "run,sessions")
        engine = HttpEngine(self.place / "engine.sock", self.env, "--pool-size", "4")
        self.addCleanup(engine.end)
        print(f"seed {SEED}", flush=True)
        pid, failures, seen = engine.process.pid, [], collections.Counter()

        def state():
            status = casemate.read_bytes(f"/proc/{pid}/status").decode()
            fields = dict(line.split(":", 1) for line in status.splitlines())
            return {"descriptors": len(os.listdir(f"/proc/{pid}/fd")), "threads": int(fields["Threads"]),
                    "rss_kib": int(fields["VmRSS"].split()[0]), "cgroups": len(casemate.cgroups_of_runs()),
                    "mounts": len(casemate.mounts())}

        def work(seconds, number):
            client = Client(engine, key, random.Random(SEED + number), seen)
            end = time.monotonic() + seconds
            while time.monotonic() < end and not failures:
                try:
                    client.once()
                except (AssertionError, OSError, http.client.HTTPException) as error:
                    failures.append(repr(error))

        def churn(seconds, tell=False):
            threads = [threading.Thread(target=work, args=(seconds, number)) for number in range(WORKERS)]
            for thread in threads:
                thread.start()
            for part in range(10 if tell else 0):
                time.sleep(seconds / 10)
                print(f"{(part + 1) * seconds / 10:6.0f} s  {state()}", flush=True)
            for thread in threads:
                thread.join()

        def settled(before):
            """What there is more of than before, once it has had time to go."""
            def more():
                now = state()
                return {name: (before[name], now[name]) for name in ("descriptors", "threads", "cgroups", "mounts")
                        if now[name] > before[name] + (SLOTS_KEPT if name == "descriptors" else 0)}
            return casemate.settle(more, 30)

        churn(max(4.0, SECONDS / 5))  # what grows once has grown
        time.sleep(1)
        casemate.settle(lambda: engine.health()["pools"][0]["cells_ready"] < 4, 30)
        before = state()
        seen.clear()
        churn(SECONDS, tell=SECONDS >= 60)
        self.assertEqual(failures, [])
        self.assertGreater(sum(seen.values()), 0)
        casemate.settle(lambda: engine.health()["pools"][0]["cells_ready"] < 4, 30)
        self.assertEqual(settled(before), {}, seen)
        after = state()
        print(f"before {before}\nafter  {after}\n{sum(seen.values())} times: {dict(sorted(seen.items()))}", flush=True)
        self.assertLess(after["rss_kib"], before["rss_kib"] + GROWTH_KIB)
        self.assertEqual(json.loads(engine.ask_tcp("GET", "/v1/sessions", None, key)[2]), {"sessions": []})


if __name__ == "__main__":
    casemate.die_with_tests()
    unittest.main(verbosity=2)
