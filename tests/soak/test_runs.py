#!/usr/bin/env python3
"""Fresh runs from many clients at once, one in ten of them a hostile program: each is answered with what it is due, and
afterwards the engine holds what it held before.

CASEMATE_SOAK_RUNS (600) is the number of runs, CASEMATE_SOAK_CLIENTS (16) that of clients, CASEMATE_SOAK_PAUSE_MS (0)
how long each client rests after a run. What the engine holds is printed on the way. The seed is printed; set
CASEMATE_SOAK_SEED to repeat a series.
"""

import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import secrets
import sys
import threading
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "escapes")]
import casemate  # noqa: E402
import program  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine, UnixConnection  # noqa: E402
from held import at_rest, descriptors_by_kind, held  # noqa: E402

RUNS = int(os.environ.get("CASEMATE_SOAK_RUNS", "600"))
CLIENTS = int(os.environ.get("CASEMATE_SOAK_CLIENTS", "16"))
PAUSE = float(os.environ.get("CASEMATE_SOAK_PAUSE_MS", "0")) / 1000
SEED = int(os.environ.get("CASEMATE_SOAK_SEED", secrets.randbelow(10**6)))
POOL = 8
# The engine's own memory may differ by what its allocators keep: not by a byte for each run.
GROWTH_KIB = 4 << 10

# Programs of tests/escapes/hostile, with limits that end them soon.
SHORT = {"wall_time_ms": 400, "processes_max": 16, "memory_bytes": 48 << 20}
HOSTILE = {
    "resources/fork_bomb.py": SHORT,
    "resources/thread_bomb.py": {**SHORT, "wall_time_ms": 2000},
    "resources/heap.py": SHORT,
    "resources/memfd.py": SHORT,
    "resources/fill_tmp.py": {"tmp_bytes": 4 << 20},
    "resources/open_files.py": {},
    "resources/pipe_buffers.py": SHORT,
    "resources/socket_buffers.py": SHORT,
    "resources/descriptors_in_flight.py": SHORT,
    "resources/system_v_memory.py": SHORT,
    "channels/flood_stdout.py": {"stdout_bytes_max": 1 << 20},
    "channels/flood_frames.py": SHORT,
    "channels/flood_result.py": SHORT,
    "channels/forge_frames.py": {},
    "channels/garbage_frames.py": {},
    "channels/half_frame.py": {},
    "channels/close_everything.py": {},
    "channels/reuse_descriptors.py": {},
    "network/families.py": {},
    "network/raw_sockets.py": {},
    "network/socket_options.py": {},
    "processes/trace_init.py": {},
    "processes/trace_child.py": {},
    "processes/ignore_every_signal.py": {"wall_time_ms": 200},
    "processes/kill_everyone.py": {},
    "processes/kill_init.py": {},
    "processes/daemon.py": {},
    "processes/steal_descriptors.py": {},
    "honesty/exit_124.py": {},
    "honesty/exit_137.py": {},
    "honesty/kill_itself.py": {},
    "honesty/kill_child_of_memory.py": {},
    "identity/capabilities.py": {},
    "kernel/keyrings.py": {},
    "kernel/namespaces.py": {},
    "kernel/mounts.py": {},
    "kernel/denial_flood.py": {},
    "kernel/own_filter_listener.py": {},
    "files/core_dump.py": {},
    "freshness/files_left.py": {},
}


class Hostile:
    """One such program, and what its header says that may come of it."""

    def __init__(self, name, limits):
        self.program = program.Program(program.HERE / "hostile" / name)
        self.request = {"code": self.program.source(), "limits": limits, "env": {"PROBE_HOST_PID": str(os.getpid())}}

    def check(self, result):
        """What is wrong with the answer, or None. Its time may be over first: here it is short, and the host busy."""
        status = result["status"]
        if status in self.program.statuses or (status == "timeout" and "wall_time_ms" in self.request["limits"]):
            return None
        # A sum of samples, where no cgroup counts, has the pages that processes share once for each.
        if status == "memory_limit" and not casemate.enforced(result, "memory"):
            return None
        if self.program.contained and status == "ok" and result["result"].get("escaped") is False:
            return None
        # What it would be held by is not enforced here, and the run says so.
        if (rests_on := self.program.get("rests_on")) and not casemate.enforced(result, rests_on):
            return None
        told = {name: result[name] for name in ("status", "exit_code", "signal", "error", "result")}
        return f"{self.program.name}: {str(told)[:600]}"


class Runs(Case):
    def setUp(self):
        super().setUp()
        # The audit log prunes itself, so that it does not fill the disk with what is not looked at here.
        env = {**self.env, "CASEMATE_AUDIT_KEEP_BYTES": str(128 << 20)}
        self.engine = Engine(self.place / "engine.sock", env, "--pool-size", str(POOL))
        self.addCleanup(self.engine.end)
        self.hostile = [Hostile(name, limits) for name, limits in HOSTILE.items()]
        self.failures, self.seen, self.done = [], collections.Counter(), 0
        self.lock = threading.Lock()
        print(f"seed {SEED}", flush=True)

    def once(self, connection, rng, number):
        hostile = rng.choice(self.hostile) if number % 10 == 9 else None
        # A client's own word comes back, and nobody else's.
        request = hostile.request if hostile else {"code": f"result = [{number}, INPUT_DATA]", "input": number,
                                                   "limits": {"wall_time_ms": 120000}}
        connection.request("POST", "/v1/run", json.dumps(request))
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            return f"{answer.status}: {body[:300]}"
        result = json.loads(body)
        with self.lock:
            self.seen[result["status"] if hostile is None else f"hostile {result['status']}"] += 1
        if hostile:
            return hostile.check(result)
        # Nor is it told of what others have used.
        good = result["result"] == [number, number] and result["usage"]["processes_peak"] < 10
        return None if good else f"run {number}: {body[:900]}"

    def client(self, numbers, rng):
        connection = UnixConnection(self.engine.path)
        while not self.failures:
            with self.lock:
                number = next(numbers, None)
            if number is None:
                break
            try:
                failure = self.once(connection, rng, number)
            except (OSError, http.client.HTTPException) as error:
                failure = f"no answer to run {number}: {error!r}"
            if failure:
                self.failures.append(failure)
            # Clients that stay, and clients that come anew.
            if rng.random() < 0.05:
                connection.close()
            with self.lock:
                self.done += 1
            time.sleep(PAUSE)
        connection.close()

    def soak(self, count):
        numbers, self.done = iter(range(count)), 0
        threads = [threading.Thread(target=self.client, args=(numbers, random.Random(SEED + each)))
                   for each in range(CLIENTS)]
        begin = last = time.monotonic()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.2)
            if time.monotonic() - last > 60:
                last = time.monotonic()
                print(f"{last - begin:6.0f} s  {self.done} runs  {held(self.engine)}", flush=True)
        for thread in threads:
            thread.join()
        return time.monotonic() - begin

    def test_leave_as_much_as_there_was(self):
        self.soak(max(300, RUNS // 20))  # what grows once has grown
        self.assertEqual(self.failures, [])
        before = at_rest(self.engine, POOL)
        kinds = descriptors_by_kind(self.engine)
        self.seen.clear()
        seconds = self.soak(RUNS)
        self.assertEqual(self.failures, [])
        self.assertEqual(self.done, RUNS)
        busy = held(self.engine)
        after = at_rest(self.engine, POOL)
        print(f"{RUNS} runs in {seconds:.0f} s: {dict(sorted(self.seen.items()))}\n"
              f"before {before}\nbusy   {busy}\nafter  {after}", flush=True)
        self.assertGreater(sum(count for name, count in self.seen.items() if name.startswith("hostile")), 0)
        more = {name: (before[name], after[name]) for name in before
                if name != "rss_kib" and after[name] > before[name]}
        self.assertEqual(more, {}, (kinds, descriptors_by_kind(self.engine)))
        if not casemate.SANITIZED:  # it keeps what is freed
            self.assertLess(after["rss_kib"], before["rss_kib"] + GROWTH_KIB)


if __name__ == "__main__":
    casemate.die_with_tests()
    with contextlib.suppress(KeyboardInterrupt):
        unittest.main(verbosity=2)
