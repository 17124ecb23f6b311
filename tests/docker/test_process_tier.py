#!/usr/bin/env python3
"""The process tier inside an unprivileged Docker container: Docker's default seccomp profile and capabilities, an
ordinary user, no flag that adds a right. The container sees the host's /usr and the program under test, read-only.
"""

import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from docker_engine import IMAGE, Engine, Unavailable  # noqa: E402

SKIPPED = 77
USER = "1234:1234"
PROCESS_TEST = os.environ.get("CASEMATE_PROCESS_TEST", "")

# What a program tries, in the place of its host: here that is the container.
HOSTILE = """
import ctypes, os, signal, socket
def attempt(action):
    try:
        return f"did it: {action()!r}"
    except OSError as error:
        return type(error).__name__
def connect():
    with socket.socket() as caller:
        caller.connect(("127.0.0.1", 4242))
result = {
    "read a file of the same user": attempt(lambda: open("/var/secret").read()),
    "list a folder": attempt(lambda: os.listdir("/var")),
    "write beside": attempt(lambda: open("/tmp/left", "w")),
    "change modes": attempt(lambda: os.chmod("/var/secret", 0o666)),
    "read another's environment": attempt(lambda: open(f"/proc/{os.getppid()}/environ").read()),
    "signal its keeper": attempt(lambda: os.kill(os.getppid(), signal.SIGKILL)),
    "signal the container's init": attempt(lambda: os.kill(1, signal.SIGKILL)),
    "make a socket": attempt(connect),
}
own = {
    "cwd": os.listdir("."), "file": open("own", "w").write("x"), "temporary": os.environ["TMPDIR"].startswith("/tmp/"),
    "no_new_privs": ctypes.CDLL(None).prctl(39, 0, 0, 0, 0),
}
result["own"] = own
"""


class InDocker(unittest.TestCase):
    engine = None

    def run_in_container(self, *words, given=b"", user=USER):
        binary = os.path.realpath(casemate.BINARY)
        binds = ["-v", "/usr:/usr:ro", "-v", "/etc/ld.so.cache:/etc/ld.so.cache:ro"]
        binds += ["-v", f"{binary}:/opt/casemate/casemate:ro"]
        if PROCESS_TEST:
            binds += ["-v", f"{os.path.realpath(PROCESS_TEST)}:/opt/casemate/process_test:ro"]
        # The engine of this test has no bridge, so there is no other network to give.
        flags = ["--rm", "-i", "--network", "none", "--user", user, "-e", "CASEMATE_STATE_DIR=/dev/shm/state"]
        return self.engine.docker("run", *flags, *binds, IMAGE, *words, given=given)

    def casemate(self, *flags, code, user=USER):
        done = self.run_in_container(
            "/opt/casemate/casemate", "run", "--json", "--no-engine", *flags, "-", given=code.encode(), user=user
        )
        self.assertTrue(done.stdout, done.stderr.decode(errors="replace"))
        return json.loads(done.stdout)

    def test_a_program_runs_and_the_result_says_how(self):
        answer = self.casemate("--isolation", "process", "--input", "20", code="result = INPUT_DATA + 22")
        self.assertEqual((answer["status"], answer["result"]), ("ok", 42), answer)
        self.assertEqual(answer["isolation"]["tier"], "process")
        enforced = {entry["guarantee"] for entry in answer["isolation"]["enforced"]}
        self.assertLessEqual({"network", "privileges", "syscalls", "open_files", "file_size", "output"}, enforced)
        weaker = {entry["guarantee"]: entry for entry in answer["isolation"]["not_enforced"]}
        self.assertLessEqual({"filesystem", "pid_space", "identity", "disk"}, set(weaker))
        for entry in weaker.values():
            self.assertTrue(entry["reason"] and entry["remedy"], entry)
        passed_over = [entry["tier"] for entry in answer["isolation"]["passed_over"]]
        self.assertEqual(passed_over, ["microvm", "container", "docker"])

    def test_a_hostile_program_is_contained(self):
        answer = self.casemate("--isolation", "process", code=HOSTILE)
        self.assertEqual(answer["status"], "ok", answer)
        own = answer["result"].pop("own")
        self.assertEqual(own, {"cwd": [], "file": 1, "temporary": True, "no_new_privs": 1})
        for act, outcome in answer["result"].items():
            self.assertEqual(outcome, "PermissionError", act)
        self.assertIn("socket AF_INET", [denial["what"] for denial in answer["denials"]])

    def test_limits_and_leftovers(self):
        spin = "import os\nfor _ in range(4):\n    if os.fork() == 0: os.setsid()\nwhile True: pass"
        answer = self.casemate("--isolation", "process", "--timeout", "1s", code=spin)
        self.assertEqual(answer["status"], "timeout", answer)
        script = (
            "/opt/casemate/casemate run --isolation process --no-engine -c 'import os, time; os.fork() or os.setsid(); "
            "open(\"x\", \"w\"); os.fork() and time.sleep(0.1)' >/dev/null 2>&1; ls /tmp; "
            "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done | grep -c '[k]eeper'"
        )
        done = self.run_in_container("/bin/sh", "-c", script)
        self.assertEqual(done.stdout, b"0\n", done.stderr)

    def test_auto_takes_it_only_when_it_was_accepted(self):
        accepted = self.casemate("--isolation", "auto", "--require", "process", code="result = 1")
        self.assertEqual((accepted["status"], accepted["isolation"]["tier"]), ("ok", "process"), accepted)
        passed_over, docker = accepted["isolation"]["passed_over"]
        self.assertEqual((passed_over["tier"], docker["tier"]), ("container", "docker"))
        self.assertIn("namespaces", passed_over["reason"])
        refused = self.casemate("--isolation", "auto", code="result = 1")
        self.assertEqual(refused["status"], "unavailable", refused)
        self.assertIn("--require process", refused["error"]["message"])
        strict = self.casemate("--isolation", "process", "--require-limits", code="result = 1")
        self.assertEqual(strict["status"], "unavailable", strict)

    def test_root_of_the_container_gives_each_run_an_id_of_its_own(self):
        code = "import os\nresult = [os.getuid(), os.geteuid(), os.getgroups()]"
        seen = [self.casemate("--isolation", "process", code=code, user="0:0") for _ in range(2)]
        for answer in seen:
            self.assertEqual(answer["status"], "ok", answer)
            self.assertIn("identity", {entry["guarantee"] for entry in answer["isolation"]["enforced"]})
            self.assertGreaterEqual(answer["result"][0], 0x70000000)

    def test_doctor_tells_the_tier(self):
        done = self.run_in_container("/opt/casemate/casemate", "doctor", "--json")
        tiers = {tier["tier"]: tier for tier in json.loads(done.stdout)["tiers"]}
        self.assertTrue(tiers["process"]["works"], tiers["process"])
        self.assertFalse(tiers["container"]["works"])

    @unittest.skipUnless(PROCESS_TEST, "CASEMATE_PROCESS_TEST does not name the tier's own test program")
    def test_conformance(self):
        done = self.run_in_container("/opt/casemate/process_test", "--gtest_filter=Conformance*")
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace")[-3000:])
        self.assertIn(b"[  PASSED  ]", done.stdout)


def main():
    casemate.require_binary()
    with casemate.scratch("docker") as folder:
        try:
            with Engine(folder) as engine:
                InDocker.engine = engine
                program = unittest.main(exit=False)
                return 0 if program.result.wasSuccessful() else 1
        except Unavailable as reason:
            print(f"skipped: no Docker Engine can be started here: {reason}")
            return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
