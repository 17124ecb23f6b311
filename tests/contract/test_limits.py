#!/usr/bin/env python3
"""Every limit ends a run within 10 % or 50 ms of what was asked, and leaves what is below it alone."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402

MIB = 1 << 20


class Limits(Case):
    def near(self, seen, asked_ms, what):
        """Not before the limit, and not later than 10 % or 50 ms after it."""
        late = max(asked_ms * 0.1, 50) * casemate.SLOW
        self.assertGreaterEqual(seen, asked_ms - 2, what)
        self.assertLessEqual(seen, asked_ms + late, what)

    def test_wall_time(self):
        for asked, code in (
            (300, "import time; time.sleep(60)"),
            (1000, "import time; time.sleep(60)"),
            (500, "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"),
            (500, "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\ntime.sleep(60)"),
        ):
            done = self.status("timeout", "--timeout", f"{asked}ms", "-c", code)
            self.near(done["usage"]["wall_ms"], asked, code)
            self.assertLessEqual(done.seconds * 1000, asked * 1.1 + 600 * casemate.SLOW)

    def test_program_just_below_its_wall_time(self):
        self.ok("--timeout", "2s", "-c", "import time; time.sleep(1.5)")

    def test_cpu_time(self):
        for asked, code in ((500, "while True: pass"), (1000, "import os\nos.fork()\nwhile True: pass")):
            done = self.status("cpu_limit", "--cpu-time", f"{asked}ms", "--timeout", "30s", "--cpus", "2", "-c", code)
            self.near(done["usage"]["cpu_ms"], asked, code)

    def test_program_just_below_its_cpu_time(self):
        self.ok("--cpu-time", "1500ms", "-c", "import time\nwhile time.process_time() < 1: pass")

    def test_sleep_costs_no_cpu_time(self):
        self.ok("--cpu-time", "300ms", "-c", "import time; time.sleep(1)")

    def test_cpu_share(self):
        code = (
            "import os, time\nfor _ in range(3):\n    if os.fork() == 0: break\nend = time.monotonic() + 3\n"
            "while time.monotonic() < end: pass"
        )
        done = self.ok("--cpus", "0.5", "--cpu-time", "60s", "--timeout", "20s", "-c", code)
        if casemate.enforced(done, "cpu_share"):
            share = done["usage"]["cpu_ms"] / done["usage"]["wall_ms"]
            self.assertLessEqual(share, 0.55)
            self.assertGreaterEqual(share, 0.35 / casemate.SLOW)

    def test_memory(self):
        for asked in (64, 128):
            done = self.status(
                "memory_limit",
                "--memory",
                f"{asked}m",
                "--timeout",
                "30s",
                "-c",
                "held = []\nwhile True: held.append(b'x' * 500000)",
            )
            if casemate.enforced(done, "memory"):
                self.assertGreaterEqual(done["usage"]["memory_peak_bytes"], asked * MIB * 0.9)
                self.assertLessEqual(done["usage"]["memory_peak_bytes"], asked * MIB * 1.1)

    def test_program_just_below_its_memory(self):
        done = self.ok("--memory", "128m", "-c", "held = b'x' * (90 << 20)\nresult = len(held)")
        self.assertEqual(done["result"], 90 * MIB)

    def test_memory_counts_tmpfs_too(self):
        done = self.run_json(
            "--memory",
            "64m",
            "--tmp-size",
            "256m",
            "--timeout",
            "30s",
            "-c",
            "f = open('/tmp/x', 'wb')\nfor _ in range(200): f.write(b'x' * 1000000)",
        )
        self.assertEqual(done["status"], "memory_limit", done.tell())

    def test_processes(self):
        code = (
            "import os, time\nn = 0\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(60)\n"
            "        n += 1\nfinally:\n    print(n, flush=True)"
        )
        for asked in (8, 32):
            done = self.status("process_limit", "--pids-limit", str(asked), "--timeout", "20s", "-c", code)
            # The program and the sandbox's init are among them.
            self.assertEqual(int(done["stdout"].split()[0]), asked - 2, done.tell())

    def test_a_raised_priority_stays_outside(self):
        raised = os.sched_param(1)
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, raised)
        except PermissionError:
            self.skipTest("this user may not raise a priority")
        try:
            done = self.ok("-c", "import os\nresult = [os.sched_getscheduler(0), os.nice(0)]")
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        self.assertEqual(done["result"], [os.SCHED_OTHER, max(0, os.nice(0))], done.tell())

    def test_program_just_below_its_processes(self):
        self.ok(
            "--pids-limit",
            "16",
            "-c",
            "import threading\nts = [threading.Thread(target=lambda: None) for _ in range(12)]\n"
            "for t in ts: t.start()\nfor t in ts: t.join()",
        )

    def test_disk(self):
        code = (
            "import os\nn = 0\nf = os.open('/tmp/x', os.O_CREAT | os.O_WRONLY)\n"
            "try:\n    while True: n += os.write(f, b'x' * 65536)\n"
            "finally:\n    os.write(1, str(n).encode())"
        )
        for asked in (4, 16):
            done = self.status("disk_limit", "--tmp-size", f"{asked}m", "-c", code)
            self.assertLessEqual(abs(int(done["stdout"]) - asked * MIB), asked * MIB * 0.1)

    def test_disk_is_one_budget_for_all_places(self):
        code = (
            "for path in ('/tmp/a', '/dev/shm/b', '/workspace/c'):\n"
            "    with open(path, 'wb') as f: f.write(b'x' * (6 << 20))\n"
        )
        self.status("disk_limit", "--tmp-size", "16m", "-c", code)

    def test_number_of_files(self):
        code = "import os\nfor n in range(100000): os.close(os.open(f'/tmp/{n}', os.O_CREAT))"
        self.status("disk_limit", "--tmp-files", "1000", "--timeout", "20s", "-c", code)
        self.ok("--tmp-files", "1000", "-c", code.replace("100000", "850"))

    def test_file_size(self):
        done = self.status(
            "disk_limit", "--file-size", "1m", "--tmp-size", "16m", "-c", "open('/tmp/x', 'wb').write(b'x' * 3000000)"
        )
        self.assertIn("file", done["denials"][0]["what"] if done["denials"] else "no denial")

    def test_open_files(self):
        done = self.ok(
            "--limit",
            "open_files_max=64",
            "-c",
            "import os\nn = 0\ntry:\n    while True: os.open('/dev/null', os.O_RDONLY); n += 1\n"
            "except OSError as e: result = [n, e.errno]",
        )
        self.assertEqual(done["result"][1], 24)
        self.assertLessEqual(abs(done["result"][0] - 61), 4)

    def test_output_keeps_the_first_part(self):
        for stream, number in (("stdout", 1), ("stderr", 2)):
            done = self.status(
                "output_limit",
                f"--{stream}-limit",
                "100k",
                "-c",
                f"import os\nn = 0\nwhile True: os.write({number}, b'%09d\\n' % n); n += 1",
            )
            text = done[stream]
            note = r"\n\[output truncated: [0-9,]+ bytes, first 102,400 shown\]\n"
            self.assertRegex(text[102400:], "^" + note + "$")
            self.assertEqual(text[:102400], "".join("%09d\n" % n for n in range(10240)))
            self.assertTrue(done["truncated"][stream])

    def test_output_of_exactly_its_limit(self):
        self.assertEqual(
            len(self.ok("--stdout-limit", "10k", "-c", "import os; os.write(1, b'x' * 10240)")["stdout"]), 10240
        )

    def test_result_of_exactly_its_limit(self):
        self.ok("--result-limit", "1000", "-c", "result = 'x' * 998")
        self.status("result_invalid", "--result-limit", "1000", "-c", "result = 'x' * 999")

    def test_result_depth(self):
        nest = "result = 1\nfor _ in range({}): result = [result]"
        self.ok("--limit", "result_depth_max=10", "-c", nest.format(10))
        self.status("result_invalid", "--limit", "result_depth_max=10", "-c", nest.format(11))

    def test_supervisor_stays_small_while_a_gigabyte_is_printed(self):
        code = "import os\nblock = b'x' * (1 << 20)\nfor _ in range(1024):\n    os.write({}, block)"
        for number in (1, 2):
            for flags in ([], ["--json"]):
                done = casemate.run(["run", *flags, "--timeout", "60s", "-c", code.format(number)], env=self.env)
                self.assertEqual(done.code, casemate.EXIT_CODES["output_limit"])
                if not casemate.SANITIZED:
                    self.assertLess(done.rss_bytes, 24 * MIB, (number, flags))

    def test_supervisor_stays_small_while_a_gigabyte_is_kept_from_the_limit(self):
        # A limit as large as the flood: the supervisor may hold what it was told to keep, in text and in JSON.
        done = casemate.run(
            [
                "run",
                "--stdout-limit",
                "64m",
                "--timeout",
                "60s",
                "-c",
                "import os\nfor _ in range(60): os.write(1, b'x' * (1 << 20))",
            ],
            env=self.env,
        )
        self.assertEqual((done.code, len(done.stdout)), (0, 60 * MIB))

    def test_result_flood(self):
        done = casemate.run_json(
            "--timeout",
            "5s",
            "-c",
            "import os\nos.write(1101, b'R' + (2**32 - 1).to_bytes(4, 'little'))\n"
            "while True: os.write(1101, b'[' * 65536)",
            env=self.env,
        )
        self.assertIn(done["status"], ("result_invalid", "output_limit", "timeout", "error"), done.tell())
        if not casemate.SANITIZED:
            self.assertLess(done.rss_bytes, 24 * MIB)


if __name__ == "__main__":
    unittest.main(verbosity=2)
