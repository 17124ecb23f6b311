#!/usr/bin/env python3
"""OCI runtimes unplugged: missing, broken, killed in the middle of a run, a full disk under the bundle, and casemate
itself killed at any instant. Each gives a clear error, and nothing is left. As test_recovery.py, which says what the
variables mean."""

import contextlib
import os
import pathlib
import random
import secrets
import signal
import stat
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402

RUNS = int(os.environ.get("CASEMATE_RECOVERY_RUNS", "12"))
SEED = int(os.environ.get("CASEMATE_RECOVERY_SEED", secrets.randbelow(10**6)))
PYTHON = "/usr/bin/python3"
FLAGS = ["--no-engine", "--python", PYTHON]
NAP = "import time\nprint('up', flush=True)\ntime.sleep(20)"


class Unplugged:
    runtime = ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.flags = [*FLAGS, "--runtime", cls.runtime]
        done = casemate.run_json(*cls.flags, "-c", "pass", env=cls.env)
        if done["status"] == "unavailable":
            raise unittest.SkipTest(done["error"]["message"])

    def refused(self, variable, *words):
        env = {**self.env, f"CASEMATE_{self.runtime.upper()}": variable}
        done = self.status("unavailable", *self.flags, "-c", "pass", env=env)
        for word in words:
            self.assertIn(word, done["error"]["message"] + str(done["error"].get("hint")), done.tell())

    def script(self, text):
        path = self.place / "runtime"
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    def test_a_run(self):
        done = self.ok(*self.flags, "--input", "20", "-c", "result = INPUT_DATA + 22")
        self.assertEqual(done["result"], 42)
        mechanisms = " ".join(entry["mechanism"] for entry in done["isolation"]["enforced"])
        self.assertIn(self.runtime + " ", mechanisms)

    def test_missing(self):
        self.refused("/nonexistent/runtime", "there is no " + self.runtime)

    def test_not_a_runtime(self):
        self.refused(self.script("exit 1\n"), "no working OCI runtime")

    def test_it_fails_to_start(self):
        real = {"runsc": "/usr/local/bin/runsc", "crun": "/usr/bin/crun"}[self.runtime]
        if not os.path.exists(real):
            self.skipTest(f"there is no {real}")
        words = "a cosmic ray hit the kernel"
        script = self.script(f'[ "$1" = help ] || for word in "$@"; do\n'
                             f'  [ "$word" = run ] && {{ echo {words} >&2; exit 9; }}\n'
                             f'done\nexec {real} "$@"\n')
        env = {**self.env, f"CASEMATE_{self.runtime.upper()}": script}
        done = self.status("unavailable", *self.flags, "-c", "pass", env=env)
        self.assertRegex(done["error"]["message"], "could not start the sandbox|starts no sandbox here", done.tell())

    def test_casemate_is_killed(self):
        print(f"seed {SEED}", flush=True)
        instants = random.Random(f"{SEED} {self.runtime}")
        for _ in range(RUNS):
            marker = secrets.token_hex(12)
            delay = instants.uniform(0, 0.8 * casemate.SLOW)
            process = casemate.start(
                ["run", "--json", "-e", f"PROBE_MARK={marker}", *self.flags, "-c", NAP],
                env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.wait(10 * casemate.SLOW)
            casemate.finish(process)
            left = casemate.settle(lambda: casemate.marked(marker) + casemate.orphans(), 5)
            self.assertEqual(left, [], f"SIGKILL after {delay * 1000:.1f} ms")
        done = casemate.run(["gc", "--json"], env=self.env)
        self.assertEqual(done.code, 0, done.tell())
        self.assertEqual(self.traces.left_since(), [])

    def test_a_full_disk(self):
        """Nothing of a run is on a disk, so a full one under $TMPDIR is none of its business."""
        if os.getuid() != 0:
            self.skipTest("mounts a small file system")
        full = self.place / "full"
        full.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(full)], check=True)
        try:
            filler = os.open(full / "filler", os.O_WRONLY | os.O_CREAT)
            with contextlib.suppress(OSError):
                while True:
                    os.write(filler, b"x" * 4096)
            os.close(filler)
            self.ok(*self.flags, "-c", "open('/tmp/x', 'w').write('x' * 10000)",
                    env={**self.env, "TMPDIR": str(full)})
        finally:
            subprocess.run(["umount", str(full)], check=True)


class Crun(Unplugged, Case):
    runtime = "crun"

    def test_all_inside_are_filtered(self):
        """Also the container's init, which the program cannot see here."""
        process = casemate.start(["run", *self.flags, "-c", NAP], env=self.env, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        try:
            self.assertEqual(process.stdout.readline(), b"up\n")
            status = {}
            for entry in pathlib.Path("/proc").iterdir():
                with contextlib.suppress(OSError):
                    lines = (entry / "status").read_text().splitlines() if entry.name.isdigit() else []
                    status[entry.name] = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            kin = {str(process.pid)}
            while more := {pid for pid, of in status.items() if of.get("PPid") in kin} - kin:
                kin |= more
            inside = {pid: status[pid] for pid in kin if len(status[pid].get("NSpid", "").split("\t")) > 2}
            self.assertEqual(sorted(of["NSpid"].split("\t")[-1] for of in inside.values()), ["1", "2"], inside)
            self.assertEqual({of["Seccomp"] for of in inside.values()}, {"2"}, inside)
        finally:
            process.terminate()
            process.communicate(timeout=30 * casemate.SLOW)
            casemate.finish(process)


class Gvisor(Unplugged, Case):
    runtime = "runsc"

    def test_its_init_is_filtered(self):
        done = self.ok(*self.flags, "-c", "result = open('/proc/1/status').read()")
        self.assertIn("Seccomp:\t2\n", done["result"])

    def test_its_kernel_is_killed(self):
        process = casemate.start(["run", "--json", *self.flags, "-c", NAP], env=self.env, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20 * casemate.SLOW
        killed = 0
        while not killed and time.monotonic() < end:
            time.sleep(0.3)
            for entry in pathlib.Path("/proc").iterdir():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if words[0] == b"runsc-sandbox" and b"casemate" in words:
                    time.sleep(1)  # past its start
                    os.kill(int(entry.name), signal.SIGKILL)
                    killed += 1
        out, _ = process.communicate(timeout=30 * casemate.SLOW)
        casemate.finish(process)
        self.assertGreater(killed, 0)
        done = casemate.strict_json(out.decode())
        self.assertEqual(done["status"], "failed", done)
        self.assertTrue(done["error"]["message"], done)


if __name__ == "__main__":
    unittest.main(verbosity=2)
