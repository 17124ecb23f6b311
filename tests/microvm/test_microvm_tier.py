#!/usr/bin/env python3
"""The microvm tier with a real guest: what goes in and comes out, what ends a run, and what is told, and left, when
QEMU, the kernel, the images or the disk for them are missing, broken, hung or killed."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402

SKIPPED = 77
# The guest gets the interpreter and its packages: the smallest that there is.
PYTHON = "/usr/bin/python3"
FLAGS = ["--no-engine", "--python", PYTHON, "--isolation", "microvm"]
NAP = "import time; print('up', flush=True); time.sleep(60)"


def qemu_processes():
    """Ids of guests that were started by a casemate of this test: their disk is the wall's."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = entry.read_bytes().split(b"\0")
            if any(b"virtserialport,chardev=control" in word for word in words) and b"setpriv" not in words[0]:
                found.append(int(entry.parent.name))
    return found


class MicrovmTier(unittest.TestCase):
    folder = None

    def environment(self, **changes):
        return casemate.environment(**{"CASEMATE_STATE_DIR": str(self.folder / "state"), **changes})

    def run_json(self, *arguments, deadline=240, **changes):
        return casemate.run_json(*FLAGS, *arguments, env=self.environment(**changes), deadline=deadline)

    def images(self):
        return self.folder / "state" / "microvm"

    def assert_nothing_left(self):
        self.assertFalse(casemate.settle(lambda: set(qemu_processes()) - self.before, 15), "QEMU is left")
        self.assertFalse(list(self.images().glob("*.part*")), "an unfinished image is left")

    def setUp(self):
        self.before = set(qemu_processes())

    def tearDown(self):
        self.assert_nothing_left()

    @contextlib.contextmanager
    def napping(self, *flags):
        """A run whose program has begun, and its QEMU."""
        run = casemate.start(["run", "--json", *FLAGS, *flags, "-c", NAP], env=self.environment(),
                             stdout=subprocess.PIPE)
        try:
            late = casemate.settle(lambda: not set(qemu_processes()) - self.before, 60 * casemate.SLOW)
            self.assertFalse(late, "no QEMU")
            time.sleep(4 * casemate.SLOW)
            yield run, (set(qemu_processes()) - self.before).pop()
        finally:
            if run.poll() is None:
                run.kill()
            casemate.finish(run)
            run.stdout.close()

    def answer(self, run, deadline=60):
        out, _ = run.communicate(timeout=deadline * casemate.SLOW)
        return json.loads(out)

    def test_1_what_goes_in_and_comes_out(self):
        (self.folder / "in.txt").write_text("given")
        env = {"CASEMATE_TEST_SECRET": "swordfish-4711-xyz"}
        code = """
import os, platform, sys
print('out'); print('err', file=sys.stderr); os.makedirs('d'); open('d/f', 'w').write('x' * 70_000)
class Table:
    def _repr_html_(self): return '<b>1</b>'
display(Table())
result = {'n': INPUT_DATA + 1, 'uid': os.getuid(), 'in': open('in.txt').read(), 'kernel': platform.release(),
          'secret': open('/run/secrets/token').read() == os.environ['TOKEN'], 'nets': os.listdir('/sys')}
"""
        done = self.run_json("--input", "41", "--file", f"in.txt={self.folder}/in.txt", "--collect", "d/*", "--secret",
                             "TOKEN=env:CASEMATE_TEST_SECRET", "--secret", "token:file=env:CASEMATE_TEST_SECRET",
                             "-c", code, **env)
        self.assertEqual((done["status"], done["stdout"], done["stderr"]), ("ok", "out\n", "err\n"), done.tell())
        result = done["result"]
        self.assertEqual((result["n"], result["uid"], result["in"], result["secret"]), (42, 1000, "given", True))
        self.assertEqual(result["nets"], [])
        self.assertNotEqual(result["kernel"], os.uname().release)
        self.assertEqual([(file["name"], file["size_bytes"]) for file in done["files"]], [("d/f", 70_000)])
        self.assertEqual(len(done["displays"]), 1)
        self.assertEqual(done["isolation"]["tier"], "microvm")
        weaker = {entry["guarantee"] for entry in done["isolation"]["not_enforced"]}
        # QEMU's time is the host's to count and to share out, which takes cgroups; all else is the guest's own.
        self.assertLessEqual(weaker, set() if os.getuid() == 0 else {"cpu_time", "cpu_share"})
        self.assertIn("QEMU", " ".join(entry["mechanism"] for entry in done["isolation"]["enforced"]))
        self.assertGreater(done["usage"]["memory_peak_bytes"], 1 << 20)
        for image in self.images().iterdir():
            self.assertNotIn(b"swordfish-4711", image.read_bytes(), image)

    def test_2_every_run_has_its_own_randomness_and_the_right_time(self):
        code = "import os, time, uuid; result = [os.urandom(16).hex(), str(uuid.uuid4()), time.time()]"
        runs = [self.run_json("-c", code) for _ in range(2)]
        first, second = (done["result"] for done in runs)
        self.assertNotEqual(first[:2], second[:2])
        self.assertLess(abs(second[2] - time.time()), 30 * casemate.SLOW)

    def test_3_each_limit_is_its_own_status(self):
        spin = "while True: pass"
        cases = {"timeout": ["--timeout", "2s", "-c", spin],
                 "memory_limit": ["--memory", "100m", "-c", "x = b'x' * (300 << 20)"],
                 "disk_limit": ["--tmp-size", "4m", "-c", "open('/tmp/f', 'wb').write(b'x' * (8 << 20))"],
                 "output_limit": ["--stdout-limit", "10k", "-c", "print('x' * 10**6)"]}
        for status, words in cases.items():
            with self.subTest(status):
                self.assertEqual(self.run_json(*words)["status"], status)

    def test_4_automatic_choice_takes_no_emulation(self):
        flags = ["--no-engine", "--python", PYTHON, "--require", "microvm", "-c", "pass"]
        done = casemate.run_json(*flags, env=self.environment())
        if done["status"] == "ok":
            self.skipTest("this host has KVM")
        self.assertEqual(done["status"], "unavailable")
        self.assertIn("--isolation microvm", done["error"]["message"])

    def refused(self, *words, **changes):
        done = self.run_json("-c", "pass", **changes)
        self.assertIn(done["status"], ("unavailable", "failed"), done.tell())
        told = done["error"]["message"] + str(done["error"].get("hint"))
        for word in words:
            self.assertIn(word, told)

    def test_5_something_is_missing(self):
        self.refused("there is no qemu-system-x86_64", "apt-get install", CASEMATE_QEMU="/nonexistent/qemu")
        script = self.folder / "qemu"
        script.write_text("#!/bin/sh\nexit 1\n")
        script.chmod(0o755)
        self.refused("no working QEMU", CASEMATE_QEMU=str(script))
        self.refused("there is no kernel for a guest", "fetch_guest_kernel", CASEMATE_GUEST_KERNEL="/nonexistent")
        done = self.run_json("-v", f"{self.folder}:/data:ro", "-c", "pass")
        self.assertEqual(done["status"], "unavailable", done.tell())
        self.assertIn("no folder of the host", done["error"]["message"])

    def test_6_qemu_ends_while_the_guest_boots(self):
        script = self.folder / "qemu-that-ends"
        script.write_text('#!/bin/sh\n[ "$1" = --version ] && exec qemu-system-x86_64 "$@"\necho no luck >&2; exit 3\n')
        script.chmod(0o755)
        self.refused("the guest ended while it booted", CASEMATE_QEMU=str(script))

    def test_7_a_broken_template(self):
        for template in self.images().glob("template-*.state"):
            os.truncate(template, 100_000)
        done = self.run_json("-c", "pass")
        self.assertEqual(done["status"], "unavailable", done.tell())
        self.assertIn(str(self.images()), done["error"]["message"])
        for template in self.images().glob("template-*.state"):
            template.unlink()
        self.assertEqual(self.run_json("-c", "result = 1")["result"], 1)

    def test_8_killed_and_hung(self):
        with self.napping() as (run, qemu):
            os.kill(qemu, signal.SIGKILL)
            self.assertEqual(self.answer(run)["status"], "failed")
        self.assert_nothing_left()
        with self.napping("--timeout", "8s") as (run, qemu):
            os.kill(qemu, signal.SIGSTOP)
            self.assertEqual(self.answer(run)["status"], "timeout")
        self.assert_nothing_left()
        with self.napping() as (run, _):
            run.send_signal(signal.SIGKILL)
            run.wait(10)

    @unittest.skipUnless(os.geteuid() == 0, "mounts a small file system")
    def test_9_a_full_disk_under_the_images(self):
        small = self.folder / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(small)], check=True)
        try:
            self.refused("the images of guests cannot be kept", "free space", CASEMATE_STATE_DIR=str(small))
            self.assertFalse([path for path in (small / "microvm").iterdir() if ".part" in path.name])
        finally:
            subprocess.run(["umount", str(small)], check=True)


def main():
    casemate.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="casemate-microvm-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        MicrovmTier.folder = pathlib.Path(folder)
        probe = casemate.run_json(*FLAGS, "-c", "pass", deadline=300,
                                  env=casemate.environment(CASEMATE_STATE_DIR=f"{folder}/state"))
        if probe["status"] == "unavailable" and os.environ.get("CASEMATE_TEST_MICROVM") != "1":
            print(f"skipped: {probe['error']['message']}")
            return SKIPPED
        return 0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
