#!/usr/bin/env python3
"""A crowd: many idle sessions, which cost no CPU time and give back what they held, and many clients at once, each of
which gets an answer to each request, over TCP and at the unix socket.

CASEMATE_CROWD_SESSIONS (60) and CASEMATE_CROWD_CLIENTS (300) are how many; 1,000 of each is what is promised.
"""

import asyncio
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import resource
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402
from held import at_rest, cgroups_of, descendants, held  # noqa: E402
from http_api import HttpEngine, add_key  # noqa: E402

SESSIONS = int(os.environ.get("CASEMATE_CROWD_SESSIONS", "60"))
CLIENTS = int(os.environ.get("CASEMATE_CROWD_CLIENTS", "300"))
REQUESTS = 3  # of each client
POOL = 4
# Whoever measures on this host may stop everything else for a while.
PATIENCE_S = 180 * casemate.SLOW
IDLE_S = 10


def cpu_seconds(pid):
    fields = casemate.read_bytes(f"/proc/{pid}/stat").rsplit(b")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def charged_kib(pid):
    """What the kernel has charged to the cgroups of the engine's cells, its own part for them too."""
    total = 0
    for folder in cgroups_of(pid):
        for name in ("memory.usage_in_bytes", "memory.current"):
            try:
                total += int(casemate.read_bytes(os.path.join(folder, name))) >> 10
            except OSError:
                continue
    return total


def pss_kib(pids):
    total = 0
    for pid in pids:
        try:
            text = casemate.read_bytes(f"/proc/{pid}/smaps_rollup").decode()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total


class ScarceEngine(HttpEngine):
    OPEN_FILES = 4600


class Crowd(Case):
    FLAGS = ("--pool-size", str(POOL))

    def serve(self, *flags, kind=HttpEngine):
        self.key = add_key(self.env, "crowd", "--scopes", "run,sessions")
        engine = kind(self.place / "engine.sock", self.env, *self.FLAGS, *flags)
        self.addCleanup(engine.end)
        return engine


class Idle(Crowd):
    def test_a_host_without_descriptors_for_more_says_so(self):
        """The limit of open files has room for some sessions alone: these work, and the next one is told why not."""
        engine = self.serve(kind=ScarceEngine)
        made = []
        for _ in range(100):
            status, text = engine.ask("POST", "/v1/sessions", "{}")
            if status != 201:
                break
            made.append(json.loads(text)["id"])
        self.assertGreater(len(made), 10)
        self.assertEqual(status, 503, text)
        self.assertIn(f"there are {len(made)} sessions already, and the limit of open files",
                      json.loads(text)["detail"])
        self.assertEqual(engine.run(code="result = 1")[1]["result"], 1)
        engine.ask("DELETE", f"/v1/sessions/{made[0]}")
        self.assertEqual(engine.ask("POST", "/v1/sessions", "{}")[0], 201)

    def test_sessions_cost_no_cpu_time_and_give_back_what_they_held(self):
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4100 + SESSIONS * 15:
            self.skipTest("the hard limit of open files has no room for so many here")
        engine = self.serve()

        def ask(method, target, body=None):
            status, text = engine.ask(method, target, json.dumps(body) if body is not None else None)
            self.assertIn(status, (200, 201, 204), text)
            return json.loads(text) if text else None

        def step(number_and_id):
            number, session = number_and_id
            result = ask("POST", f"/v1/sessions/{session}/run", {"code": "x += 1\nx"})
            self.assertEqual(result["result"], number + 1, result)

        # What grows once has grown.
        ask("DELETE", f"/v1/sessions/{ask('POST', '/v1/sessions', {})['id']}")
        before = at_rest(engine, POOL)
        pid = engine.process.pid
        charged, pss = charged_kib(pid), pss_kib(descendants(pid))
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: ask("POST", "/v1/sessions", {"idle_timeout_ms": 3600000})["id"],
                                 range(SESSIONS)))
            opened = time.monotonic() - begin
            list(pool.map(lambda pair: ask("POST", f"/v1/sessions/{pair[1]}/run", {"code": f"x = {pair[0]}"}),
                          enumerate(made)))
            self.assertEqual(len(set(made)), SESSIONS)
            time.sleep(2)
            full = held(engine)
            used = cpu_seconds(pid)
            time.sleep(IDLE_S)
            used = cpu_seconds(pid) - used
            each = {name: round((full[name] - before[name]) / SESSIONS, 1) for name in full}
            each["pss_kib"] = round((pss_kib(descendants(pid)) - pss) / SESSIONS)
            each["charged_kib"] = round((charged_kib(pid) - charged) / SESSIONS)
            print(f"{SESSIONS} sessions, opened in {opened:.1f} s: {used:.2f} s of CPU time in {IDLE_S} s; each {each}",
                  flush=True)
            # Each is still there, and is the one that it was.
            list(pool.map(step, enumerate(made)))
            list(pool.map(lambda session: ask("DELETE", f"/v1/sessions/{session}"), made))
        self.assertLess(used, 0.1 + SESSIONS * IDLE_S * 2e-5)
        self.assertEqual(ask("GET", "/v1/sessions"), {"sessions": []})
        after = at_rest(engine, POOL)
        print(f"before {before}\nafter  {after}", flush=True)
        more = {name: (before[name], after[name]) for name in before
                if name != "rss_kib" and after[name] > before[name]}
        self.assertEqual(more, {})
        if not casemate.SANITIZED:  # it keeps what is freed
            self.assertLess(after["rss_kib"], before["rss_kib"] + (8 << 10) + SESSIONS * 8)


class Client:
    """One connection that is kept, asyncio's: what came of each request of its own."""

    def __init__(self, connect, key, number, seen):
        self.connect, self.key, self.number, self.seen = connect, key, number, seen

    async def answer(self, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = {name.lower(): value.strip() for name, _, value in
                  (line.partition(":") for line in head.split("\r\n")[1:])}
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        return int(head.split()[1]), fields, body

    async def life(self, everybody):
        reader, writer = await self.connect()
        # All are connected before the first of them asks; or each asks at once.
        if everybody is not None:
            await everybody.wait()
        for request in range(REQUESTS):
            word = self.number * REQUESTS + request
            body = json.dumps({"code": f"result = {word}", "limits": {"wall_time_ms": 120000}})
            while True:
                writer.write((f"POST /v1/run HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n"
                              f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
                status, fields, text = await self.answer(reader)
                self.seen[status] += 1
                if fields.get("connection") == "close":
                    writer.close()
                    await asyncio.sleep(random.random() * float(fields.get("retry-after", "0")))
                    reader, writer = await self.connect()
                if status == 200:
                    result = json.loads(text)
                    assert (result["status"], result["result"]) == ("ok", word), text[:600]
                    break
                assert status in (429, 503) and float(fields["retry-after"]) > 0, (status, fields, text)
                await asyncio.sleep(float(fields["retry-after"]) * (0.5 + random.random()))
        writer.close()


class Everybody:
    """Waits until `count` have come, or for a while."""

    def __init__(self, count):
        self.missing, self.complete = count, asyncio.Event()

    async def wait(self):
        self.missing -= 1
        if self.missing == 0:
            self.complete.set()
        try:
            await asyncio.wait_for(self.complete.wait(), 20)
        except asyncio.TimeoutError:
            pass


class AtOnce(Crowd):
    def crowd(self, connect, count, at_once=True):
        """How many answers of each status `count` clients got; their first failure is raised."""
        seen = collections.Counter()

        async def all_of_them():
            everybody = Everybody(count) if at_once else None
            await asyncio.wait_for(asyncio.gather(*(Client(connect, self.key, number, seen).life(everybody)
                                                    for number in range(count))), PATIENCE_S)
        begin = time.monotonic()
        asyncio.run(all_of_them())
        print(f"{count} clients: {dict(seen)} in {time.monotonic() - begin:.1f} s", flush=True)
        return seen

    def both(self, engine):
        yield "tcp", lambda: asyncio.open_connection("127.0.0.1", engine.port)
        yield "unix", lambda: asyncio.open_unix_connection(engine.path)

    def test_clients_lose_no_request(self):
        engine = self.serve()
        for _, connect in self.both(engine):
            self.crowd(connect, 20)  # what grows once has grown
        before = at_rest(engine, POOL)
        for name, connect in self.both(engine):
            with self.subTest(name):
                seen = self.crowd(connect, CLIENTS)
                self.assertEqual(seen[200], CLIENTS * REQUESTS)
        after = at_rest(engine, POOL)
        print(f"before {before}\nafter  {after}", flush=True)
        more = {name: (before[name], after[name]) for name in before
                if name != "rss_kib" and after[name] > before[name]}
        self.assertEqual(more, {})

    def test_whoever_finds_no_place_is_told_when_to_come_back(self):
        engine = self.serve("--max-connections", "16")
        for name, connect in self.both(engine):
            with self.subTest(name):
                # Whoever is turned away has sent its request by then, and must get to read the answer all the same.
                for at_once in (False, True):
                    seen = self.crowd(connect, min(CLIENTS, 100), at_once)
                    self.assertEqual(seen[200], min(CLIENTS, 100) * REQUESTS)
                    self.assertGreater(seen[503], 0)

    def test_runs_that_wait_are_told_when_to_come_back(self):
        engine = self.serve("--max-runs", "2", "--queue-timeout", "1s")
        for name, connect in self.both(engine):
            with self.subTest(name):
                self.assertEqual(self.crowd(connect, min(CLIENTS, 100))[200], min(CLIENTS, 100) * REQUESTS)


if __name__ == "__main__":
    casemate.die_with_tests()
    unittest.main(verbosity=2)
