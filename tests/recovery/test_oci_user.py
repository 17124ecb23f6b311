#!/usr/bin/env python3
"""OCI runtimes as an ordinary user: with subordinate ids, with one id, and with cgroups of the user's own. What is held
is told and held, what no cgroup holds is told, sampled and refused to who requires it, and nothing is left, whatever
ends a run. As test_recovery.py, which says what the variables mean. Root makes the users; an ordinary user's runs of
these runtimes are what test_oci.py has then."""

import grp
import json
import os
import pathlib
import pwd
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
import engine as resident  # noqa: E402
from case import Case  # noqa: E402

RUNS = int(os.environ.get("CASEMATE_RECOVERY_RUNS", "12"))
SEED = int(os.environ.get("CASEMATE_RECOVERY_SEED", secrets.randbelow(10**6)))
PYTHON = "/usr/bin/python3"
NAP = "import time\nprint('up', flush=True)\ntime.sleep(20)"
BY_CGROUP = {"cpu_time", "cpu_share", "memory"}  # processes are counted by another wall, too
LOOK = """import os
lines = open('/proc/self/status').read().splitlines()
held = [line.split()[1] for line in lines if line.startswith('Cap')]
open('made.txt', 'w').write(os.environ['TOKEN'])
result = [os.getuid(), os.getgid(), sorted(set(held)), open('given.txt').read(), open('/run/secrets/token').read()]
"""
# In 4 MiB steps, so that a sample sees it before it is all there.
EATER = "x = []\nimport time\nfor i in range(200):\n    x.append(b'a' * (4 << 20))\n    time.sleep(0.005)"
BOMB = "import subprocess, time\nx = [subprocess.Popen(['sleep', '9']) for i in range(99)]"


def own_cgroups():
    """The folders of this process's cgroups with the four controllers, where all are of version 1."""
    mounted = {}
    for line in casemate.read_bytes("/proc/self/mountinfo").decode().splitlines():
        before, _, after = line.partition(" - ")
        if after.split()[0] == "cgroup":
            for word in after.split()[2].split(","):
                mounted[word] = before.split()[4]
    folders = []
    for line in casemate.read_bytes("/proc/self/cgroup").decode().splitlines():
        _, names, path = line.split(":", 2)
        if {"memory", "pids", "cpu", "cpuacct"} & set(names.split(",")) and names.split(",")[0] in mounted:
            folder = pathlib.Path(mounted[names.split(",")[0]])
            inner = folder / path.lstrip("/")
            folders.append(inner if inner.is_dir() else folder)
    return folders if len(set(folders)) >= 2 else []


class User:
    """A user of these tests alone, and casemate as that user would start it."""

    NAME = "casemate-oci-test"
    IDS = True  # subordinate ones

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("makes users")
        cls.addClassCleanup(setattr, casemate, "BINARY", casemate.BINARY)
        cls.make_user()
        cls.settings = {}
        cls.write_starter()
        super().setUpClass()
        cls.runtimes = []
        for name in ("crun", "runc", "runsc"):
            done = casemate.run_json(*cls.flags(name), "-c", "pass", env=cls.env)
            if done["status"] == "unavailable" and "there is no" in done["error"]["message"]:
                continue
            assert done["status"] == "ok", done.tell()
            cls.runtimes.append(name)
        if not cls.runtimes:
            raise unittest.SkipTest("there is no OCI runtime")

    @classmethod
    def make_user(cls):
        none = [] if cls.IDS else ["-K", "SUB_UID_COUNT=0", "-K", "SUB_GID_COUNT=0"]
        subprocess.run(["useradd", "-m", *none, cls.NAME], check=True, capture_output=True)
        cls.addClassCleanup(subprocess.run, ["userdel", "-r", cls.NAME], capture_output=True)
        cls.home = pathlib.Path(pwd.getpwnam(cls.NAME).pw_dir)
        cls.home.chmod(0o700)
        for program in pathlib.Path(casemate.BINARY).resolve().parent.glob("casemate*"):
            if program.is_file() and os.access(program, os.X_OK):
                shutil.copy(program, cls.home)
        for name in ("state", "tmp"):
            (cls.home / name).mkdir()
            shutil.chown(cls.home / name, cls.NAME, grp.getgrnam(cls.NAME).gr_name)
        listed = [file for file in ("/etc/subuid", "/etc/subgid") if f"{cls.NAME}:" in pathlib.Path(file).read_text()]
        assert len(listed) == (2 if cls.IDS else 0), listed

    @classmethod
    def write_starter(cls, first=""):
        """What the support starts for casemate, which takes its place, so that a signal is casemate's."""
        starter = cls.home / "start"
        starter.write_text(
            f"#!/bin/sh\n{first}\ncd {cls.home} && exec setpriv --reuid {cls.NAME} --regid {cls.NAME} --init-groups "
            f"env HOME={cls.home} CASEMATE_STATE_DIR={cls.home}/state TMPDIR={cls.home}/tmp "
            f"{cls.home}/casemate \"$@\"\n")
        starter.chmod(0o755)
        casemate.BINARY = str(starter)

    @classmethod
    def flags(cls, runtime):
        return ["--no-engine", "--python", PYTHON, "--runtime", runtime]

    def tearDown(self):
        self.assertEqual(os.listdir(self.home / "tmp"), [])

    def test_a_run(self):
        given = self.place / "given.txt"
        given.write_text("red")
        for runtime in self.runtimes:
            done = self.ok(
                *self.flags(runtime), "--file", f"given.txt={given}", "--collect", "**", "--secret",
                "TOKEN=env:CASEMATE_TEST_SECRET",
                "--secret", "token:file=env:CASEMATE_TEST_SECRET", "-c", LOOK,
                env={**self.env, "CASEMATE_TEST_SECRET": "a-secret-of-this-test"})
            inside = 1000 if self.IDS else 0
            seen = [inside, inside, ["0" * 16], "red", "[REDACTED_SECRET]"]
            self.assertEqual(done["result"], seen, done.tell())
            self.assertEqual([file["name"] for file in done["files"]], ["given.txt", "made.txt"])
            self.assertEqual(casemate.enforced(done.json, "identity"), self.IDS)

    def test_limits(self):
        for runtime in self.runtimes:
            for status, code, *flags in (
                ("timeout", "while True: pass", "--timeout", "1s"),
                ("cpu_limit", "while True: pass", "--cpu-time", "1s"),
                ("memory_limit", EATER, "--memory", "200m"),
                ("disk_limit", "open('/tmp/x', 'wb').write(b'x' * (9 << 20))", "--tmp-size", "4m"),
                # gVisor's kernel refuses a process to the program, and tells nobody else.
                ("error" if runtime == "runsc" else "process_limit", BOMB, "--pids-limit", "20"),
            ):
                self.status(status, *self.flags(runtime), *flags, "-c", code)

    def test_what_is_told(self):
        weak = self.weak()
        for runtime in self.runtimes:
            done = self.ok(*self.flags(runtime), "-c", "pass")
            self.assertEqual({gap["guarantee"] for gap in done["isolation"]["not_enforced"]}, weak, done.tell())
            strict = [*self.flags(runtime), "--require-limits", "-c", "pass"]
            if not weak:
                self.ok(*strict)
                continue
            refused = self.status("unavailable", *strict)
            self.assertIn("cannot be guaranteed here", refused["error"]["message"])
        told = json.loads(casemate.run(["doctor", "--json"], env=self.env).stdout)
        working = {tier.get("runtime") for tier in told["tiers"] if tier["works"]}
        self.assertLessEqual(set(self.runtimes), working)

    def weak(self):
        return BY_CGROUP | (set() if self.IDS else {"identity"})

    def test_a_folder_that_the_program_writes_is_the_callers(self):
        folder = self.home / "shared"
        folder.mkdir()
        self.addCleanup(shutil.rmtree, folder)
        shutil.chown(folder, self.NAME, self.NAME)
        for runtime in self.runtimes:
            done = self.ok(*self.flags(runtime), "--workspace", f"{folder}:rw", "-c", "open('made', 'w').write('x')")
            self.assertEqual((folder / "made").owner(), self.NAME)
            self.assertFalse(casemate.enforced(done.json, "identity"), done.tell())
            (folder / "made").unlink()

    def test_casemate_is_killed(self):
        print(f"seed {SEED}", flush=True)
        for runtime in self.runtimes:
            instants = random.Random(f"{SEED} {runtime}")
            for _ in range(RUNS):
                marker = secrets.token_hex(12)
                delay = instants.uniform(0, 0.8 * casemate.SLOW)
                process = casemate.start(
                    ["run", "--json", "-e", f"PROBE_MARK={marker}", *self.flags(runtime), "-c", NAP],
                    env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(delay)
                process.send_signal(signal.SIGKILL)
                casemate.finish(process)
                left = casemate.settle(lambda mark=marker: casemate.marked(mark) + casemate.orphans(), 5)
                self.assertEqual(left, [], f"SIGKILL after {delay * 1000:.1f} ms")
        done = casemate.run(["gc", "--json"], env=self.env)
        self.assertEqual(done.code, 0, done.tell())
        self.assertEqual(self.traces.left_since(), [])

    def test_those_that_wait(self):
        if not {"crun", "runsc"} & set(self.runtimes):
            self.skipTest("there is neither crun nor runsc")
        server = resident.Engine(self.home / "engine.sock", self.env, "--python", PYTHON, "--pool-size", "1")
        self.addCleanup(server.end)
        self.assertIn("serving", server.first_line)
        for runtime in self.runtimes:
            def pool(name=runtime):
                found = [p for p in server.health()["pools"] if p["environment"] == f"host ({name})"]
                return found[0] if found else {"cells_ready": 0, "cells_max": 1}

            warm = []
            for number in range(3):
                code = f"result = [{number}, open(__file__).read()]"
                status, result = server.run(runtime=runtime, code=code, limits={"memory_bytes": 200 << 20})
                self.assertEqual((status, result["status"], result.get("result")), (200, "ok", [number, code]), result)
                warm.append(any(step["step"] == "take_sandbox" for step in result["timings"]))
                left = casemate.settle(lambda: pool()["cells_ready"] != pool()["cells_max"], 60)
                self.assertFalse(left, pool())
            self.assertEqual(warm, [False, True, True])
            status, result = server.run(runtime=runtime, code=EATER, limits={"memory_bytes": 200 << 20})
            self.assertEqual(result["status"], "memory_limit", result)

    def test_a_runtime_in_a_closed_folder(self):
        """The ids that a runtime is started with are strangers in its user's home."""
        for runtime in self.runtimes:
            real = next(path for folder in ("/usr/local/bin", "/usr/bin", "/usr/sbin")
                        if os.access(path := f"{folder}/{runtime}", os.X_OK))
            copied = self.home / f"my-{runtime}"
            shutil.copy(real, copied)
            self.addCleanup(copied.unlink)
            env = {**self.env, f"CASEMATE_{runtime.upper()}": str(copied)}
            self.ok(*self.flags(runtime), "-c", "pass", env=env)

    def test_without_user_namespaces(self):
        """In one of the user's own that allows no more of them."""
        inner = f"echo 0 > /proc/sys/user/max_user_namespaces && exec {self.home}/casemate \"$@\""
        for runtime in self.runtimes:
            done = subprocess.run(
                ["setpriv", "--reuid", self.NAME, "--regid", self.NAME, "--init-groups", "env", f"HOME={self.home}",
                 f"CASEMATE_STATE_DIR={self.home}/state", "CASEMATE_SOCKET=", "unshare", "--user", "--map-root-user",
                 "sh", "-c", inner, "sh", "run", "--json", *self.flags(runtime), "-c", "pass"],
                capture_output=True, cwd="/", check=False)
            result = casemate.strict_json(done.stdout.decode())
            self.assertEqual(result["status"], "unavailable", result)
            self.assertIn("user.max_user_namespaces", result["error"]["message"])


class WithSubordinateIds(User, Case):
    pass


class WithOneId(User, Case):
    IDS = False


class WithCgroups(User, Case):
    """Version 1's, given to the user as the remedy tells; under systemd, version 2's are the container tier's way."""

    @classmethod
    def make_user(cls):
        folders = own_cgroups()
        if not folders:
            raise unittest.SkipTest("there are no cgroups of version 1")
        super().make_user()
        cls.given = [folder / cls.NAME for folder in folders]
        for folder in cls.given:
            folder.mkdir()
            cls.addClassCleanup(folder.rmdir)
            shutil.chown(folder, cls.NAME)
            for file in folder.iterdir():
                shutil.chown(file, cls.NAME)

    @classmethod
    def write_starter(cls, first=""):
        super().write_starter("\n".join(f"echo $$ > {folder}/tasks" for folder in cls.given))

    def weak(self):
        return set()


if __name__ == "__main__":
    unittest.main(verbosity=2)
