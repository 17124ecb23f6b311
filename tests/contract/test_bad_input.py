#!/usr/bin/env python3
"""Bad input: one clear sentence, the right exit code, and nothing started or left."""

import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402

RAN = "print('it ran')"
REFUSED, NOTHING, FAILED = 126, 127, 125


class BadInput(Case):
    def refused(self, code, *arguments, says=(), **options):
        """Refused with `code` and one sentence, in text and with --json; the program never ran."""
        for flags in ([], ["--json"]):
            done = self.run_text(*flags, *arguments, **options)
            self.assertEqual(done.code, code, (arguments, done.tell()))
            self.assertNotIn(b"it ran", done.stdout)
            if isinstance(done.json, dict):
                self.assertIn(done["status"], ("rejected", "unavailable", "failed"))
                sentence = done["error"]["message"]
                self.assertIsNone(done["exit_code"])
            else:
                self.assertEqual(done.stdout, b"")
                sentence = done.stderr.decode()
                self.assertEqual(sentence.strip().count("\n"), 0, sentence)
            self.assertGreater(len(sentence), 15, sentence)
            for word in says:
                self.assertIn(word, sentence)
            for word in ("std::", "terminate", "errno", "Traceback", "0x"):
                self.assertNotIn(word, sentence)
        return sentence

    def test_missing_file(self):
        self.refused(NOTHING, "no-such-program.py", says=["no-such-program.py"])

    def test_nothing_to_run(self):
        self.refused(NOTHING)

    def test_folder_as_program(self):
        self.refused(REFUSED, str(self.place), says=[str(self.place)])

    def test_unreadable_program(self):
        path = self.program(RAN)
        os.chmod(path, 0)
        if os.getuid() != 0:
            self.refused(REFUSED, path, says=[path])

    def test_program_that_is_not_text(self):
        path = self.place / "binary.py"
        path.write_bytes(b"\xff\xfe\0\0print('it ran')")
        done = self.run_json(str(path))
        self.assertIn(done["status"], ("error", "rejected"), done.tell())
        self.assertNotIn("it ran", done["stdout"])

    def test_bad_json(self):
        for text in (
            "{",
            "nul",
            "{'a': 1}",
            "[1,]",
            '{"a":1,"a":2}',
            "NaN",
            "1 2",
            '"\\ud800"',
            "[" * 100000,
            "01",
            "",
        ):
            self.refused(REFUSED, "--input", text, "-c", RAN, says=["input"])

    def test_bad_json_in_a_file(self):
        path = self.place / "input.json"
        path.write_bytes(b'{"a": \xff}')
        self.refused(REFUSED, "--input", f"@{path}", "-c", RAN, says=["input"])
        self.refused(REFUSED, "--input", f"@{self.place}/missing.json", "-c", RAN, says=["missing.json"])

    def test_bad_schema(self):
        for schema in ("{", '{"type": "no-such-type"}', "[]", '{"$ref": "file:///etc/passwd"}'):
            self.refused(REFUSED, "--input", "1", "--input-schema", schema, "-c", RAN, says=["schema"])
            self.refused(REFUSED, "--result-schema", schema, "-c", RAN, says=["schema"])

    def test_unknown_flag(self):
        sentence = self.refused(REFUSED, "--memroy", "1g", "-c", RAN, says=["--memroy"])
        self.assertIn("--memory", sentence)
        self.refused(REFUSED, "--no-such-flag", "-c", RAN, says=["--no-such-flag"])

    def test_flag_without_its_value(self):
        self.refused(REFUSED, "--memory", says=["--memory"])

    def test_unknown_command(self):
        done = casemate.run(["rnu", "-c", RAN], env=self.env)
        self.assertEqual((done.code, done.stdout), (REFUSED, b""))
        self.assertIn(b"run", done.stderr)

    def test_impossible_limits(self):
        for flag, values in {
            "--memory": ("0", "-1", "1k", "12x", "", "999999g", "1e400", "nan", "64mm"),
            "--timeout": ("0", "-5s", "10 minutes of fame", "", "9999d", "inf"),
            "--cpus": ("0", "-1", "100000", "many", "nan", ""),
            "--pids-limit": ("0", "1", "-1", "1.5", "99999999999999999999"),
            "--tmp-size": ("0", "-1", "x"),
            "--cpu-time": ("0", "-1s", "x"),
            "--limit": ("no_such_limit=1", "memory_bytes", "=1", "memory_bytes=", "memory_bytes=-1"),
        }.items():
            for value in values:
                self.refused(REFUSED, f"{flag}={value}", "-c", RAN)

    def test_unreadable_workspace(self):
        self.refused(REFUSED, "--workspace", f"{self.place}/missing:ro", "-c", RAN, says=["missing"])
        self.refused(REFUSED, "--workspace", f"{self.place}:sideways", "-c", RAN)
        self.refused(REFUSED, "--workspace", "", "-c", RAN)
        path = self.place / "a file"
        path.write_text("x")
        self.refused(REFUSED, "--workspace", str(path), "-c", RAN)
        if os.getuid() != 0:
            closed = self.place / "closed"
            closed.mkdir(mode=0)
            self.refused(REFUSED, "--workspace", f"{closed}:ro", "-c", RAN, says=["closed"])
            self.refused(REFUSED, "--workspace", "/root:copy", "-c", RAN)

    def test_bad_mounts(self):
        for value in (
            "/usr",
            "relative:/x",
            f"{self.place}:relative",
            f"{self.place}/missing:/x",
            f"{self.place}:/x:sideways",
            f"{self.place}:/",
            f"{self.place}:/proc",
            f"{self.place}:/casemate/harness.pyc",
            f"{self.place}:/usr/bin",
            f"{self.place}:/x/../usr",
        ):
            self.refused(REFUSED, "-v", value, "-c", RAN)

    def test_bad_file_names(self):
        source = self.program("x", "source")
        for name in ("../x", "/etc/x", "a/../../x", "", ".", "..", "a//../..", "a\nb/../../x"):
            self.refused(REFUSED, "--file", f"{name}={source}", "-c", RAN)
        self.refused(REFUSED, "--file", "a=/no/such/file", "-c", RAN, says=["/no/such/file"])
        self.refused(REFUSED, "--file", f"a={source}", "--file", f"a/b={source}", "-c", RAN)

    def test_bad_variables(self):
        for value in ("=x", "", "A B=x", "A\nB=x"):
            self.refused(REFUSED, "-e", value, "-c", RAN)
        self.refused(REFUSED, "--env-file", "/no/such/env", "-c", RAN, says=["/no/such/env"])

    def test_missing_interpreter(self):
        self.refused(NOTHING, "-c", RAN, env=dict(self.env, CASEMATE_PYTHON="/no/such/python"), says=["python"])
        self.refused(NOTHING, "-c", RAN, env=dict(self.env, PATH="/nowhere", CASEMATE_PYTHON=""), says=["python"])

    def test_interpreter_that_is_none(self):
        done = self.run_json("-c", RAN, env=dict(self.env, CASEMATE_PYTHON="/usr/bin/true"))
        self.assertIn(done["status"], ("unavailable", "rejected"), done.tell())
        self.assertNotIn("it ran", done["stdout"])

    def test_unknown_tier_policy_environment(self):
        self.refused(REFUSED, "--isolation", "fortress", "-c", RAN, says=["container"])
        self.refused(REFUSED, "--policy", "no-such-policy", "-c", RAN, says=["no-such-policy"])
        self.refused(REFUSED, "--environment", "no-such-environment", "-c", RAN, says=["no-such-environment"])
        self.refused(REFUSED, "--network", "host", "-c", RAN, says=["network"])
        self.refused(REFUSED, "--user", "0", "-c", RAN)

    def test_two_readers_of_stdin(self):
        self.refused(REFUSED, "--input", "-", "-", says=["stdin"])
        self.refused(REFUSED, "-i", "--input", "-", "-c", RAN, says=["stdin"])

    def test_bad_globs(self):
        for glob in ("/etc/*", "../*", "a/../../*", ""):
            self.refused(REFUSED, "--collect", glob, "-c", RAN)

    def test_output_folder_that_cannot_be_written(self):
        self.refused(REFUSED, "--collect", "**", "--output-dir", self.program("x", "file"), "-c", RAN)

    def test_state_folder_that_cannot_be_used(self):
        path = self.program("x", "not-a-folder")
        done = self.run_json("-c", "result = 1", env=dict(self.env, CASEMATE_STATE_DIR=path))
        self.assertIn(done["status"], ("ok", "unavailable", "failed"), done.tell())
        if done["status"] != "ok":
            self.assertIn("not-a-folder", json.dumps(done["error"]))

    def test_closed_standard_streams(self):
        for which in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full"):
            script = f'exec "$0" run --json -c "result = 1" {which}'
            done = subprocess.run(
                ["bash", "-c", script, casemate.BINARY], env=self.env, capture_output=True, timeout=60
            )
            self.assertIn(done.returncode, (0, FAILED, 141), which)
            if done.stdout:
                self.assertEqual(json.loads(done.stdout)["status"], "ok", which)

    def test_many_descriptors_of_the_caller_are_not_handed_on(self):
        secret = self.place / "secret"
        secret.write_text("of the caller")
        descriptors = [os.open(secret, os.O_RDONLY) for _ in range(20)]
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        done = subprocess.run(
            [casemate.BINARY, "run", "--json", "-c", "import os; result = sorted(os.listdir('/proc/self/fd'))"],
            env=self.env,
            close_fds=False,
            capture_output=True,
            timeout=60,
        )
        for descriptor in descriptors:
            os.close(descriptor)
        numbers = {int(name) for name in json.loads(done.stdout)["result"]}
        self.assertLessEqual(len(numbers - {0, 1, 2, 1100, 1101}), 1, numbers)


class Commands(Case):
    def test_doctor(self):
        for flags in ([], ["--json"]):
            done = casemate.run(["doctor", *flags], env=self.env)
            self.assertIn(done.code, (0, 1), done.tell())
        report = done.json
        self.assertEqual(done.code == 0, report["healthy"], report)
        self.assertTrue(report["python"]["version"].startswith("3."))
        container = next(
            tier for tier in report["tiers"] if tier["tier"] == "container" or tier.get("name") == "container"
        )
        self.assertTrue(container["works"])
        for finding in report["findings"]:
            self.assertIn(finding["state"], ("ok", "weak", "missing"))
            self.assertTrue(finding["state"] == "ok" or finding["remedy"], finding)

    def test_doctor_agrees_with_a_run(self):
        healthy = casemate.run(["doctor", "--json"], env=self.env).code == 0
        weak = self.ok("-c", "pass")["isolation"]["not_enforced"]
        self.assertEqual(healthy, not weak, weak)

    def test_gc_with_nothing_to_do(self):
        for flags in ([], ["--json"]):
            done = casemate.run(["gc", *flags], env=self.env)
            self.assertEqual(done.code, 0, done.tell())
        self.assertEqual(done.json["kept"], [])

    def test_gc_leaves_a_running_program_alone(self):
        process = casemate.start(
            ["run", "--json", "-c", "import time; time.sleep(2); result = 'undisturbed'"],
            env=self.env,
            stdout=(out := open(self.place / "out", "wb")),
        )
        time.sleep(0.7)
        casemate.run(["gc"], env=self.env)
        casemate.finish(process)
        out.close()
        self.assertEqual(json.loads((self.place / "out").read_bytes())["result"], "undisturbed")

    def test_help_and_version(self):
        for arguments in (["help"], ["--help"], ["version"], ["--version"], ["run", "--help"]):
            done = casemate.run(arguments, env=self.env)
            self.assertEqual((done.code, done.stderr), (0, b""), arguments)
            self.assertGreater(len(done.stdout), 5)

    def test_no_command(self):
        done = casemate.run([], env=self.env)
        self.assertEqual((done.code, done.stdout), (REFUSED, b""))
        self.assertTrue(done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
