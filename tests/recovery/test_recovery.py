#!/usr/bin/env python3
"""After casemate is killed, stopped or starved at any instant nothing of it is left, and the next run works.

CASEMATE_RECOVERY_RUNS (40) is the number of random instants for each signal. The seed is printed; set
CASEMATE_RECOVERY_SEED to repeat a series.
"""

import concurrent.futures
import json
import os
import pathlib
import random
import resource
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402

RUNS = int(os.environ.get("CASEMATE_RECOVERY_RUNS", "40"))
SEED = int(os.environ.get("CASEMATE_RECOVERY_SEED", secrets.randbelow(10**6)))

# What runs when the axe falls: each keeps something that could survive.
PROGRAMS = {
    "waits": "import time; time.sleep(30)",
    "has daemons": "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n"
    "        os.setsid()\n        time.sleep(60)\n"
    "time.sleep(30)",
    "is stopped": "import os, signal\nos.fork()\nos.kill(os.getpid(), signal.SIGSTOP)",
    "floods": "import os\nwhile True: os.write(1, b'x' * 50); os.write(2, b'y' * 50)",
    "writes files": "n = 0\nwhile True:\n    open(f'/workspace/{n % 1000}', 'w').write('x' * 1000)\n    n += 1",
    "makes processes": "import os\nwhile True:\n    if os.fork() == 0: os._exit(0)\n    os.wait()",
    "is denied": "import ctypes\nlibc = ctypes.CDLL(None)\nwhile True: libc.unshare(0x10000000)",
    "ignores signals": "import signal, time\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n"
    "    except (OSError, ValueError): pass\ntime.sleep(30)",
    "ends at once": "result = 1",
}


class Killed(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        print(f"seed {SEED}", flush=True)
        begin = time.monotonic()
        casemate.run_json("-c", "pass", env=cls.env)
        # From before its first instruction to a while after the program's start.
        cls.span = max(2.5 * (time.monotonic() - begin), 0.12)
        cls.host_folder = cls.folder / "work"
        cls.host_folder.mkdir()
        for number in range(50):
            (cls.host_folder / f"file{number}").write_text("x" * 1000)

    def start(self, name, marker, flags=()):
        return casemate.start(
            [
                "run",
                "--json",
                "--timeout",
                "20s",
                "--stdout-limit",
                "64m",
                "--stderr-limit",
                "64m",
                "-e",
                f"PROBE_MARK={marker}",
                *flags,
                "-c",
                PROGRAMS[name],
            ],
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def assert_gone(self, marker, what):
        left = casemate.settle(lambda: casemate.marked(marker) + casemate.orphans(), 3)
        self.assertEqual(left, [], what)
        self.assertEqual(casemate.mounts() - self.traces.mounts, set(), what)

    def series(self, number, name):
        instants = random.Random(f"{SEED} {name}")
        programs = list(PROGRAMS)
        variants = (
            [],
            ["--workspace", f"{self.host_folder}:copy", "--collect", "**"],
            ["--file", f"a={self.host_folder}/file1"],
            ["--workspace", f"{self.host_folder}:ro"],
        )
        for run in range(RUNS):
            program, flags = programs[run % len(programs)], variants[run % len(variants)]
            marker = secrets.token_hex(12)
            process = self.start(program, marker, flags)
            delay = instants.uniform(0, self.span * casemate.SLOW)
            time.sleep(delay)
            process.send_signal(number)
            try:
                process.wait(10 * casemate.SLOW)
            except subprocess.TimeoutExpired:
                process.kill()
                self.fail(f"{name} after {delay * 1000:.1f} ms while it {program}: casemate did not end")
            finally:
                casemate.finish(process)
            self.assert_gone(marker, f"{name} after {delay * 1000:.1f} ms while it {program}")
        self.assert_clean()

    def assert_clean(self):
        """What a killed run could not remove, `casemate gc` removes; then nothing is left and a run works."""
        done = casemate.run(["gc", "--json"], env=self.env)
        self.assertEqual(done.code, 0, done.tell())
        self.assertEqual(self.traces.left_since(), [])
        self.assertEqual(self.ok("-c", "result = 1")["result"], 1)

    def test_kill(self):
        self.series(signal.SIGKILL, "SIGKILL")

    def test_terminate(self):
        self.series(signal.SIGTERM, "SIGTERM")

    def test_interrupt(self):
        self.series(signal.SIGINT, "SIGINT")

    def test_hang_up(self):
        self.series(signal.SIGHUP, "SIGHUP")

    def test_stop_then_kill(self):
        for program in ("waits", "has daemons", "floods"):
            marker = secrets.token_hex(12)
            process = self.start(program, marker)
            time.sleep(self.span * casemate.SLOW)
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.2)
            process.kill()
            casemate.finish(process)
            self.assert_gone(marker, f"SIGSTOP and SIGKILL while it {program}")
        self.assert_clean()

    def test_next_run_cleans_without_gc(self):
        for _ in range(5):
            marker = secrets.token_hex(12)
            process = self.start("has daemons", marker)
            time.sleep(self.span * casemate.SLOW)
            process.kill()
            casemate.finish(process)
            self.assert_gone(marker, "SIGKILL")
        for _ in range(2):
            self.ok("-c", "pass")
        self.assertEqual(self.traces.left_since(), [])

    def test_stopped_supervisor_is_late_but_right(self):
        out = self.place / "out"
        with open(out, "wb") as stdout:
            process = casemate.start(
                ["run", "--json", "--timeout", "500ms", "-c", "import time; time.sleep(60)"],
                env=self.env,
                stdout=stdout,
            )
            time.sleep(self.span * casemate.SLOW)
            process.send_signal(signal.SIGSTOP)
            time.sleep(1)
            process.send_signal(signal.SIGCONT)
            casemate.finish(process)
        self.assertEqual(json.loads(out.read_bytes())["status"], "timeout")

    def test_cancelled_runs_say_so(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            out = self.place / f"out{number}"
            with open(out, "wb") as stdout:
                process = casemate.start(
                    ["run", "--json", "-c", "import time; print('begun', flush=True); time.sleep(60)"],
                    env=self.env,
                    stdout=stdout,
                )
                time.sleep(1.0 * casemate.SLOW)
                process.send_signal(number)
                casemate.finish(process)
            answer = json.loads(out.read_bytes())
            self.assertEqual(
                (answer["status"], answer["stdout"], process.returncode), ("cancelled", "begun\n", 128 + number)
            )

    @unittest.skipUnless(os.getuid() == 0, "needs root: only root may signal the sandbox's ids")
    def test_kill_of_what_runs_inside(self):
        for depth in (1, 2):
            marker = secrets.token_hex(12)
            out = self.place / f"out{depth}"
            with open(out, "wb") as stdout:
                process = casemate.start(
                    [
                        "run",
                        "--json",
                        "--timeout",
                        "10s",
                        "-e",
                        f"PROBE_MARK={marker}",
                        "-c",
                        "import time; time.sleep(60)",
                    ],
                    env=self.env,
                    stdout=stdout,
                )
                time.sleep(1.0 * casemate.SLOW)
                parents = {process.pid}
                for _ in range(depth):
                    parents = {pid for pid, (parent, _, _) in casemate.processes().items() if parent in parents}
                self.assertTrue(parents)
                for pid in parents:
                    os.kill(pid, signal.SIGKILL)
                process.wait(15 * casemate.SLOW)
                casemate.finish(process)
            self.assertIn(json.loads(out.read_bytes())["status"], ("error", "failed"))
            self.assert_gone(marker, f"SIGKILL of depth {depth}")
        self.assert_clean()

    def test_reader_goes_away(self):
        for _ in range(5):
            marker = secrets.token_hex(12)
            reader, writer = os.pipe()
            process = casemate.start(
                ["run", "--timeout", "20s", "-e", f"PROBE_MARK={marker}", "-c", PROGRAMS["floods"]],
                env=self.env,
                stdout=writer,
                stderr=subprocess.DEVNULL,
            )
            os.close(writer)
            os.read(reader, 100)
            os.close(reader)
            process.wait(15 * casemate.SLOW)
            casemate.finish(process)
            self.assert_gone(marker, "the reader of stdout went away")
        self.assert_clean()


class Together(Case):
    def test_a_hundred_runs_four_at_a_time(self):
        code = (
            "import os, time\nbegin = time.monotonic()\nopen('/tmp/own', 'w').write('INPUT')\ntime.sleep(0.05)\n"
            "ids = [line.split() for line in open('/proc/self/uid_map')]\n"
            "result = {'n': INPUT_DATA, 'tmp': os.listdir('/tmp'), 'ids': ids, 'begin': begin, 'end': time.monotonic()}"
        )
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            futures = [
                pool.submit(casemate.run_json, "--input", str(number), "-c", code, env=self.env)
                for number in range(100)
            ]
            answers = [future.result() for future in futures]
        spans = []
        for number, done in enumerate(answers):
            self.assertEqual(done["status"], "ok", done.tell())
            self.assertEqual((done["result"]["n"], done["result"]["tmp"]), (number, ["own"]))
            spans.append((done["result"]["begin"], done["result"]["end"], done["result"]["ids"]))
        self.assertEqual(len({done["id"] for done in answers}), 100)
        if sum(int(row[2]) for row in spans[0][2]) > 1:
            for index, (begin, end, ids) in enumerate(spans):
                for other_begin, other_end, other_ids in spans[index + 1 :]:
                    if begin < other_end and other_begin < end:
                        self.assertNotEqual(ids, other_ids, "two living sandboxes share their ids")
        self.assertEqual(self.traces.left_since(), [])

    def test_one_is_killed_and_the_others_go_on(self):
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            futures = [
                pool.submit(casemate.run_json, "-c", "import time; time.sleep(2); result = 1", env=self.env)
                for _ in range(3)
            ]
            time.sleep(0.5)
            for _ in range(5):
                process = casemate.start(
                    ["run", "-c", "import time; time.sleep(30)"], env=self.env, stdout=subprocess.DEVNULL
                )
                time.sleep(0.15)
                process.kill()
                casemate.finish(process)
                casemate.run(["gc"], env=self.env)
            for future in futures:
                self.assertEqual(future.result()["status"], "ok", future.result().tell())


class Starved(Case):
    """Each starvation ends in a right answer or in one clear sentence; never in a crash or a leftover."""

    def ends_well(self, done, what):
        self.assertFalse(done.hung, what)
        self.assertGreaterEqual(done.code, 0, f"{what}: killed by signal {-done.code}")
        if isinstance(done.json, dict):
            self.assertIn(done["status"], ("ok", "unavailable", "failed", "error"), f"{what}: {done.tell()}")
            if done["status"] == "failed":
                self.assertGreater(len(done["error"]["message"]), 15, what)
        else:
            self.assertIn(done.code, (125, 126, 127), f"{what}: {done.tell()}")
            self.assertTrue(done.stderr.strip(), what)
        self.assertEqual(self.traces.left_since(), [], what)

    def test_few_descriptors(self):
        for limit in (4, 8, 12, 16, 24, 32, 64):
            done = subprocess.run(
                ["bash", "-c", f'ulimit -n {limit}; exec "$0" run --json -c "result = 1"', casemate.BINARY],
                env=self.env,
                capture_output=True,
                timeout=60,
            )
            self.ends_well(
                casemate.Done(done.returncode, done.stdout, done.stderr, 0, 0, False), f"{limit} descriptors"
            )

    def test_corrupt_state(self):
        chance, wrong = random.Random(SEED), []
        for how in ("empty", "garbage", "flipped", "truncated", "huge"):
            for path in [path for path in self.state_dir.rglob("*") if path.is_file()]:
                content = bytearray(path.read_bytes())
                if how == "empty":
                    content = bytearray()
                elif how == "garbage":
                    content = bytearray(chance.randbytes(len(content) or 100))
                elif how == "flipped" and content:
                    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
                elif how == "truncated":
                    content = content[: len(content) // 2]
                elif how == "huge":
                    content *= 1000
                path.write_bytes(content)
            done = casemate.run_json("-c", "result = 1", env=self.env)
            wrong.append("" if (done.json or {}).get("status") == "ok" else f"{how}: {done.tell()}")
        # The other tests of this class need a state that works.
        shutil.rmtree(self.state_dir)
        self.state_dir.mkdir()
        self.assertEqual([text for text in wrong if text], [])

    def test_state_that_was_replaced_by_links(self):
        target = self.place / "precious"
        target.write_text("precious")
        for path in [path for path in self.state_dir.rglob("*") if path.is_file()]:
            path.unlink()
            path.symlink_to(target)
        casemate.run_json("-c", "result = 1", env=self.env)
        self.assertEqual(target.read_text(), "precious")
        for path in list(self.state_dir.iterdir()):
            path.unlink() if path.is_symlink() or path.is_file() else shutil.rmtree(path)

    @unittest.skipIf(os.getuid() == 0, "needs an ordinary user: permissions do not stop root")
    def test_read_only_state_for_a_user(self):
        state = self.place / "state"
        state.mkdir()
        state.chmod(stat.S_IRUSR | stat.S_IXUSR)
        self.ends_well(
            casemate.run_json("-c", "result = 1", env=dict(self.env, CASEMATE_STATE_DIR=str(state))), "read-only state"
        )

    @unittest.skipUnless(os.getuid() == 0, "needs root: mounts a file system of its own")
    def test_read_only_and_full_state_for_root(self):
        for options, what in (("ro", "read-only"), ("size=4k", "full"), ("nr_inodes=1", "without inodes")):
            state = self.place / "mounted"
            state.mkdir(exist_ok=True)
            script = (
                f'mount -t tmpfs -o {options} none "$1" || exit 99; '
                f'[ {options} != size=4k ] || head -c 4096 /dev/zero > "$1/f"; '
                'exec "$0" run --json -c "result = 1"'
            )
            done = subprocess.run(
                ["unshare", "-m", "bash", "-c", script, casemate.BINARY, str(state)],
                env=dict(self.env, CASEMATE_STATE_DIR=str(state)),
                capture_output=True,
                timeout=60,
            )
            self.ends_well(casemate.Done(done.returncode, done.stdout, done.stderr, 0, 0, False), f"{what} state")

    def test_missing_home(self):
        env = {
            name: value
            for name, value in self.env.items()
            if name not in ("HOME", "CASEMATE_STATE_DIR", "XDG_STATE_HOME")
        }
        env["XDG_STATE_HOME"] = str(self.place / "xdg")
        self.ends_well(casemate.run_json("-c", "result = 1", env=env), "without HOME")

    def test_little_memory_for_the_supervisor(self):
        if casemate.SANITIZED:
            self.skipTest("needs an uninstrumented build: sanitizers reserve terabytes of addresses")
        for megabytes in (24, 32, 48):  # the executable itself takes 16

            def limited():
                resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

            done = subprocess.run(
                [casemate.BINARY, "run", "--json", "-c", "result = 1"],
                env=self.env,
                capture_output=True,
                timeout=60,
                preexec_fn=limited,
            )
            self.ends_well(
                casemate.Done(done.returncode, done.stdout, done.stderr, 0, 0, False), f"{megabytes} MiB of addresses"
            )


if __name__ == "__main__":
    unittest.main(verbosity=2)
