#!/usr/bin/env python3
"""Warm cells: each is fresh, settings of one run reach it alone, and the death of a zygote or of the engine at any
instant loses no run in silence and leaves nothing behind.

CASEMATE_RECOVERY_RUNS (10) is the number of random instants for each victim. The seed is printed; set
CASEMATE_RECOVERY_SEED to repeat a series.
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine  # noqa: E402

RUNS = int(os.environ.get("CASEMATE_RECOVERY_RUNS", "10"))
SEED = int(os.environ.get("CASEMATE_RECOVERY_SEED", secrets.randbelow(10**6)))

RANDOM = """
import os, random, ssl, sys, tempfile, uuid
result = {"random": random.random(), "ssl": ssl.RAND_bytes(16).hex(), "uuid1": str(uuid.uuid1()),
          "uuid4": str(uuid.uuid4()), "name": tempfile.mktemp()}
if "multiprocessing" in sys.modules:
    import multiprocessing
    result["key"] = bytes(multiprocessing.current_process().authkey).hex()
if "numpy" in sys.modules:
    import numpy
    result["numpy"] = float(numpy.random.random())
"""

SEEN = """
import os
result = {"pid": os.getpid(), "parent": os.getppid(), "cwd": os.getcwd(),
          "fds": sorted(os.listdir("/proc/self/fd")), "pids": sorted(p for p in os.listdir("/proc") if p.isdigit()),
          "threads": len(os.listdir("/proc/self/task")), "env": dict(os.environ), "tmp": os.listdir("/tmp"),
          "shm": os.listdir("/dev/shm"), "workspace": os.listdir("/workspace")}
"""


class Warm(Case):
    FLAGS = ()

    def setUp(self):
        super().setUp()
        self.engine = Engine(self.place / "engine.sock", self.env, "--pool-size", "4", *self.FLAGS)
        self.addCleanup(self.engine.end)
        self.assertIn("serving at", self.engine.first_line)
        self.wait_until_warm()

    def wait_until_warm(self):
        self.assertFalse(casemate.settle(lambda: self.pool()["cells_ready"] == 0, 60), self.pool())

    def pool(self):
        pools = self.engine.health()["pools"]
        return pools[0] if pools else {"cells_ready": 0}

    def run_ok(self, **request):
        status, result = self.engine.run(**request)
        self.assertEqual((status, result.get("status")), (200, "ok"), result)
        self.assertIn("adapt_cell", [step["step"] for step in result["timings"]])
        return result["result"]


class Cells(Warm):
    def test_no_two_share_random_state(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            seen = list(pool.map(lambda _: self.run_ok(code=RANDOM), range(24)))
        for name in seen[0]:
            values = [one[name] for one in seen]
            self.assertEqual(len(set(values)), len(values), name)

    def test_a_programs_own_children_are_reseeded(self):
        forks = ("import os, random\nrandom.seed(7)\nread, write = os.pipe()\n"
                 "for _ in range(2):\n    if os.fork() == 0:\n"
                 "        os.write(write, b'%.17f ' % random.random())\n        os._exit(0)\n    os.wait()\n"
                 "result = os.read(read, 99).decode().split() + ['%.17f' % random.random()]")
        seen = self.run_ok(code=forks)
        self.assertEqual(len(set(seen)), 3, seen)

    def test_each_looks_like_a_first_start(self):
        cold = self.ok("--no-engine", "-c", SEEN)["result"]
        for _ in range(6):
            warm = self.run_ok(code=SEEN + "open('/tmp/left', 'w').close(); open('left', 'w').close()\n"
                                           "open('/dev/shm/left', 'w').close(); os.environ['LEFT'] = '1'\n")
            self.assertEqual(warm, cold)

    def test_settings_of_one_run_are_its_own(self):
        code = ("import os, resource\n"
                "result = [resource.getrlimit(resource.RLIMIT_NOFILE), os.environ.get('WORD'), os.listdir('.'),\n"
                "          os.statvfs('/tmp').f_blocks * os.statvfs('/tmp').f_frsize]")
        plain = [[1024, 1024], None, [], 64 << 20]
        self.assertEqual(self.run_ok(code=code), plain)
        other = self.run_ok(code=code, env={"WORD": "a b"}, files={"data.txt": "x"},
                            limits={"open_files_max": 99, "tmp_bytes": 8 << 20, "memory_bytes": 128 << 20})
        self.assertEqual(other, [[99, 99], "a b", ["data.txt"], 8 << 20])
        for _ in range(8):  # the slots that the last ones used are among these
            self.assertEqual(self.run_ok(code=code), plain)

    def test_a_limit_that_was_raised_is_lowered_again(self):
        # It keeps it for a while: where no cgroup counts, a sample every 10 ms does.
        hungry = "import time\nx = bytearray(300 << 20)\nresult = len(x)\ntime.sleep(0.3)"
        self.assertEqual(self.run_ok(code=hungry, limits={"memory_bytes": 512 << 20}), 300 << 20)
        for _ in range(8):
            _, result = self.engine.run(code=hungry)
            self.assertEqual(result["status"], "memory_limit")

    def test_counters_begin_at_zero(self):
        self.engine.run(code="import os\nfor _ in range(100):\n    try:\n        os.fork() or os._exit(0)\n"
                             "    except OSError: pass\nx = bytearray(200 << 20)", limits={"processes_max": 3})
        for _ in range(4):
            self.engine.run(code="import os, time\nfor _ in range(30):\n    if os.fork() == 0:\n"
                                 "        time.sleep(0.1); os._exit(0)")
        for _ in range(8):
            _, result = self.engine.run(code="pass")
            self.assertEqual((result["status"], result["denials"]), ("ok", []))
            self.assertLess(result["usage"]["processes_peak"], 10)
            self.assertLess(result["usage"]["memory_peak_bytes"], 64 << 20)

    def test_ids_and_namespaces_are_used_again_however_they_were_left(self):
        spoiling = ("import os, socket\n"
                    "try: socket.socket()\nexcept OSError: pass\n"
                    "result = [open('/proc/self/uid_map').read(), os.readlink('/proc/self/ns/net')]")
        seen = [self.run_ok(code=spoiling) for _ in range(40)]
        # Four wait, some are being born or buried.
        self.assertLessEqual(len({ids for ids, _ in seen}), 16, seen)
        # The kernel gives a number again now and then; slots with the same namespaces would show 16 at most.
        self.assertGreater(len({network for _, network in seen}), 24, seen)

    def test_an_empty_pool_forks_on_demand_and_says_so(self):
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            steps = [{step["step"] for step in result["timings"]} for _, result in
                     pool.map(lambda _: self.engine.run(code="import time; time.sleep(0.1)"), range(12))]
        self.assertTrue(all("adapt_cell" in one for one in steps), steps)
        on_demand = sum("fork_on_demand" in one for one in steps)
        self.assertGreater(on_demand, 0)
        self.assertEqual(self.pool()["forked_on_demand"], on_demand)

    def test_a_run_that_cannot_be_warm_is_counted_with_its_reason(self):
        self.assertEqual(self.engine.run(command=["true"])[1]["status"], "ok")
        self.assertEqual(self.engine.run(code="pass", env={"LD_BIND_NOW": "1"})[1]["status"], "ok")
        cold = self.pool()["cold"]
        self.assertEqual(sum(cold.values()), 2, cold)
        self.assertTrue(any("command" in why for why in cold), cold)

    def test_what_an_interpreter_does_at_its_end_is_done(self):
        code = ("import atexit, sys, threading, time\n"
                "class Told:\n    def __del__(self): print('deleted', flush=True)\n"
                "told = Told(); ring = [Told()]; ring.append(ring)\n"
                "atexit.register(lambda: print('atexit'))\n"
                "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\n"
                "file = open('left.txt', 'w'); file.write('kept')\nsys.stdout.write('no newline')")
        warm = self.engine.run(code=code, collect=["**"])[1]
        cold = self.ok("--no-engine", "--collect", "**", "-c", code)
        self.assertEqual(warm["stdout"], cold["stdout"])
        self.assertEqual([file["content_base64"] for file in warm["files"]],
                         [file["content_base64"] for file in cold["files"]])

    def test_what_modules_hold_at_the_end_is_finalized(self):
        for code in ("import json\njson.f = open('left.txt', 'w')\njson.f.write('kept')",
                     "import json\nclass A:\n  def __del__(self, print=print): print('gone')\njson.a = A()",
                     "import json\ndef f(print=print):\n  try: yield\n  finally: print('last')\njson.g = f()\n"
                     "next(json.g)",
                     "import ctypes\nctypes.CDLL(None).printf(b'of C')",
                     "import io, sys\nprint('x', end='')\nsys.stdout = io.StringIO()",
                     "import json\nclass A:\n  __slots__ = ()\n  def __del__(self, print=print): print('gone')\n"
                     "json.a = A()",
                     "import atexit, os\nresult = 1\natexit.register(os._exit, 0)",
                     "import os, threading, time\nresult = 1\n"
                     "threading.Thread(target=lambda: (time.sleep(0.05), os._exit(0))).start()"):
            warm = self.engine.run(code=code, collect=["**"])[1]
            cold = self.ok("--no-engine", "--collect", "**", "-c", code)
            for field in ("status", "stdout", "result", "files"):
                self.assertEqual(warm[field], cold[field], code)

    @unittest.skipIf(os.geteuid() != 0, "a host folder as a warm run's workspace needs root")
    def test_who_says_that_it_has_ended_writes_no_more_to_a_host_folder(self):
        code = ("import os, threading, time\n"
                "def write():\n"
                "    with open('/workspace/grows', 'ab', 0) as file:\n"
                "        while True: file.write(b'x')\n"
                "threading.Thread(target=write, daemon=True).start()\n"
                "time.sleep(0.05)\n"
                "os.write(1101, b'S\\0\\0\\0\\0' + b'Z\\0\\0\\0\\0' + b'Q\\1\\0\\0\\0\\0')\n"
                "while True: time.sleep(1)")
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o777)
            for _ in range(5):
                result = self.engine.run(code=code, workspace={"path": folder, "mode": "rw"},
                                         limits={"wall_time_ms": 5000})[1]
                at_once = os.path.getsize(f"{folder}/grows")
                self.assertEqual((result["status"], result["exit_code"]), ("ok", 0), result)
                self.assertGreater(at_once, 0)
                time.sleep(0.05)
                self.assertEqual(os.path.getsize(f"{folder}/grows"), at_once)
        self.assertEqual(self.pool()["cold"], {})

    def test_exit_codes(self):
        for code in ("import sys; sys.exit(3)", "raise SystemExit('text')", "1/0", "raise KeyboardInterrupt",
                     "import os; os._exit(4)", "import sys; sys.exit(None)", "import sys; sys.exit(256 + 7)",
                     "import sys; sys.stdout.close(); sys.stderr.close()", "raise SystemExit(True)",
                     "import os, sys; print('x'); os.close(1)"):
            warm, cold = self.engine.run(code=code)[1], self.run_json("--no-engine", "-c", code).json
            for field in ("status", "exit_code", "signal", "stderr"):
                self.assertEqual(warm[field], cold[field], code)


class Deaths(Warm):
    def tearDown(self):
        print(f"(seed {SEED}) ", end="", file=sys.stderr, flush=True)

    def load(self, clients, until):
        """Runs programs until told; what became of each."""
        def one(_):
            seen = []
            while not until.is_set():
                try:
                    seen.append(self.engine.run(code="import time; time.sleep(0.02); result = 1")[1]["status"])
                except (OSError, ValueError, http.client.HTTPException):
                    seen.append("no answer")
            return seen
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            return [status for seen in pool.map(one, range(clients)) for status in seen]

    def test_a_zygote_that_is_killed_comes_back(self):
        rng, until = random.Random(SEED), threading.Event()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            statuses = pool.submit(self.load, 3, until)
            for _ in range(RUNS):
                time.sleep(rng.random() * 0.3)
                for victim in self.engine.zygotes():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(victim, signal.SIGKILL)
            until.set()
            seen = statuses.result()
        self.assertEqual(set(seen) - {"ok", "failed"}, set(), seen)
        self.assertIn("ok", seen)
        self.wait_until_warm()
        self.assertEqual(self.run_ok(code="result = 5"), 5)

    def test_a_session_waits_for_the_zygote_that_comes_back(self):
        for _ in range(5):
            for victim in self.engine.zygotes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
            # The engine notices within a second at most: meanwhile a cell that is dead may still be handed out.
            casemate.settle(lambda: self.pool()["cells_ready"] > 0, 5)
            status, answer = self.engine.ask("POST", "/v1/sessions", b"{}")
            self.assertEqual(status, 201, answer)
            self.engine.ask("DELETE", f"/v1/sessions/{json.loads(answer)['id']}")
            self.wait_until_warm()

    def test_an_engine_that_is_killed_leaves_nothing(self):
        rng = random.Random(SEED)
        for _ in range(RUNS):
            runs = [casemate.start(["run", "--engine", self.engine.path, "-c", "import time; time.sleep(0.05)"],
                                   env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    for _ in range(3)]
            time.sleep(rng.random() * 0.2)
            self.engine.end(signal.SIGKILL)
            for run in runs:
                casemate.finish(run)
            self.assertFalse(casemate.settle(casemate.orphans, 20))
            self.engine = Engine(self.engine.path, self.env, "--pool-size", "2")
            self.addCleanup(self.engine.end)
            self.assertIn("serving at", self.engine.first_line)


class Preloads(Warm):
    """Modules that cannot be shared are named, and the others are warm all the same."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Not below /tmp, which each sandbox has of its own.
        folder = pathlib.Path(casemate.BINARY).parent
        cls.venv = pathlib.Path(tempfile.mkdtemp(prefix="casemate-test-venv-", dir=folder))
        os.chmod(cls.venv, 0o755)
        cls.addClassCleanup(shutil.rmtree, cls.venv)
        casemate.host_command([sys.executable, "-m", "venv", "--without-pip", str(cls.venv)])
        site = cls.site = next((cls.venv / "lib").iterdir()) / "site-packages"
        (site / "starts_a_thread.py").write_text(
            "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n")
        (site / "keeps_a_file.py").write_text("kept = open('/etc/passwd')\n")
        (site / "is_broken.py").write_text("raise RuntimeError('on purpose')\n")
        (site / "is_fine.py").write_text("marker = object()\n")
        cls.FLAGS = ("--python", str(cls.venv / "bin" / "python3"), "--preload",
                     "json,starts_a_thread,is_broken,keeps_a_file,is_fine")

    def test_are_named(self):
        modules = self.pool()["modules"]
        self.assertEqual((modules["json"], modules["is_fine"]), ("warm", "warm"))
        self.assertIn("thread", modules["starts_a_thread"])
        self.assertIn("open", modules["keeps_a_file"])
        self.assertIn("on purpose", modules["is_broken"])
        code = "import sys; result = [name in sys.modules for name in ('is_fine', 'keeps_a_file')]"
        self.assertEqual(self.run_ok(code=code), [True, False])
        self.assertEqual(self.run_ok(code="import keeps_a_file; result = keeps_a_file.kept.readable()"), True)

    def test_a_loaded_file_that_is_written_to_is_noticed(self):
        module = self.site / "is_fine.py"
        code = "import is_fine; result = getattr(is_fine, 'value', None)"
        self.assertIsNone(self.run_ok(code=code))
        module.write_text(module.read_text() + "value = 11\n")

        def outdated():
            _, result = self.engine.run(code=code)
            return result["result"] != 11 or "adapt_cell" not in [step["step"] for step in result["timings"]]
        self.assertFalse(casemate.settle(outdated, 60))

    def test_a_changed_package_is_noticed(self):
        (self.site / "is_new.py").write_text("value = 7\n")
        self.assertFalse(casemate.settle(
            lambda: self.engine.run(code="import is_new; result = is_new.value")[1]["result"] != 7, 20))


class Numpy(Warm):
    """An array library in the zygote, of an interpreter that has one."""

    FLAGS = ("--python", "/usr/bin/python3", "--preload", "numpy,ssl")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if casemate.host_command(["/usr/bin/python3", "-c", "import numpy"]) != 0:
            raise unittest.SkipTest("the system's Python has no numpy")

    def test_its_generators_differ_from_cell_to_cell(self):
        self.assertEqual(self.pool()["modules"], {"numpy": "warm", "ssl": "warm"})
        code = ("import numpy, ssl\n"
                "result = [float(numpy.random.random()), float(numpy.random.default_rng().random()),\n"
                "          ssl.RAND_bytes(8).hex()]")
        seen = [self.run_ok(code=code) for _ in range(12)]
        for values in zip(*seen):
            self.assertEqual(len(set(values)), len(values), seen)

    def test_its_threads_are_none_and_its_algebra_works(self):
        code = ("import os\nbefore = len(os.listdir('/proc/self/task'))\nimport numpy\n"
                "product = numpy.ones((400, 400)) @ numpy.ones((400, 400))\n"
                "inverse = numpy.linalg.inv(numpy.eye(50) * 2)\n"
                "result = [before, float(product[0, 0]), float(inverse[0, 0])]")
        self.assertEqual(self.run_ok(code=code), [1, 400.0, 0.5])


if __name__ == "__main__":
    unittest.main(verbosity=2)
