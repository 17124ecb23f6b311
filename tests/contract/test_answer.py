#!/usr/bin/env python3
"""The answer: its fields, each status with its exit code, streams, errors, displays, denials, usage."""

import hashlib
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402


class Answer(Case):
    def test_has_every_field_whatever_happened(self):
        for arguments in (
            ["-c", "result = 1"],
            ["-c", "1/0"],
            ["--", "true"],
            ["--", "false"],
            ["--cpu-time", "200ms", "-c", "while True: pass"],
            ["--timeout", "300ms", "-c", "import time; time.sleep(9)"],
        ):
            done = self.run_json(*arguments)
            self.assertGreaterEqual(set(done.json), casemate.FIELDS, arguments)
            self.assertIn(done["status"], casemate.STATUSES)
            self.assertEqual(set(done["truncated"]), {"stdout", "stderr", "displays", "files"})
            for field in ("denials", "displays", "files", "timings"):
                self.assertIsInstance(done[field], list, field)

    def test_is_one_line_or_object_and_nothing_else_on_stdout(self):
        done = self.ok("-c", "print('x'); result = 1")
        self.assertEqual(json.JSONDecoder().raw_decode(done.stdout.decode())[0], done.json)
        self.assertEqual(done.stderr, b"")

    def test_ids_differ(self):
        self.assertNotEqual(self.ok("-c", "pass")["id"], self.ok("-c", "pass")["id"])

    def test_code_hash(self):
        self.assertEqual(self.ok("-c", "pass")["code_sha256"], hashlib.sha256(b"pass").hexdigest())

    def test_says_which_guarantees_held(self):
        isolation = self.ok("-c", "pass")["isolation"]
        self.assertEqual(isolation["tier"], "container")
        answered = {entry["guarantee"] for entry in isolation["enforced"] + isolation["not_enforced"]}
        self.assertGreaterEqual(answered, casemate.CLAUSES)
        self.assertTrue(all(entry["mechanism"] for entry in isolation["enforced"]))
        self.assertTrue(all(entry["reason"] and entry["remedy"] for entry in isolation["not_enforced"]))

    def test_requirement_of_limits_is_met_or_refused(self):
        weak = self.ok("-c", "pass")["isolation"]["not_enforced"]
        done = self.run_json("--require-limits", "-c", "result = 1")
        self.assertEqual(done["status"], "unavailable" if weak else "ok", done.tell())

    def test_stronger_tier_than_there_is_refuses(self):
        done = self.status("unavailable", "--require", "microvm", "-c", "print('ran')")
        self.assertEqual(done["stdout"], "")
        self.assertTrue(done["error"]["message"])

    def test_timings_and_usage_are_plausible(self):
        done = self.ok(
            "--memory",
            "256m",
            "--timeout",
            "20s",
            "-c",
            "import time\nheld = bytearray(b'x' * (60 << 20))\nend = time.process_time() + 0.5\n"
            "while time.process_time() < end: pass\ntime.sleep(0.5)\nprint('x' * 1000)",
        )
        usage = done["usage"]
        self.assertGreaterEqual(usage["cpu_ms"], 450)
        self.assertLessEqual(usage["cpu_ms"], 1500 * casemate.SLOW)
        self.assertGreaterEqual(usage["wall_ms"], 950)
        self.assertLessEqual(usage["wall_ms"], done.seconds * 1000 + 50)
        self.assertEqual(usage["stdout_bytes"], 1001)
        self.assertEqual(usage["stderr_bytes"], 0)
        weak = {entry["guarantee"] for entry in done["isolation"]["not_enforced"]}
        if "memory" not in weak:
            self.assertGreaterEqual(usage["memory_peak_bytes"], 60 << 20)
            self.assertLessEqual(usage["memory_peak_bytes"], 160 << 20)
        self.assertTrue(all(step["microseconds"] >= 0 and step["step"] for step in done["timings"]))


class Statuses(Case):
    def test_ok(self):
        self.assertEqual(self.ok("-c", "result = [1]")["result"], [1])

    def test_error_by_exception(self):
        done = self.status("error", "-c", "raise KeyError('k')")
        self.assertEqual((done.code, done["exit_code"], done["error"]["type"]), (1, 1, "KeyError"))
        self.assertIn("KeyError: 'k'", done["stderr"])
        self.assertIn("KeyError", done["error"]["traceback"])
        self.assertNotIn("harness", done["error"]["traceback"])

    def test_error_by_exit_code(self):
        for code in (1, 3, 124, 125, 126, 127, 137, 255):
            done = self.status("error", "-c", f"raise SystemExit({code})")
            self.assertEqual((done.code, done["exit_code"], done["signal"]), (code, code, None))

    def test_error_by_signal(self):
        done = self.status("error", "-c", "import os; os.kill(os.getpid(), 15)")
        self.assertEqual((done.code, done["exit_code"], done["signal"]), (143, None, 15))

    def test_timeout(self):
        self.status("timeout", "--timeout", "500ms", "-c", "import time; time.sleep(60)")

    def test_cpu_limit(self):
        self.status("cpu_limit", "--cpu-time", "500ms", "--timeout", "20s", "-c", "while True: pass")

    def test_memory_limit(self):
        self.status(
            "memory_limit",
            "--memory",
            "64m",
            "--timeout",
            "20s",
            "-c",
            "held = []\nwhile True: held.append(b'x' * 1000000)",
        )

    def test_process_limit(self):
        self.status(
            "process_limit",
            "--pids-limit",
            "16",
            "--timeout",
            "20s",
            "-c",
            "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(60)",
        )

    def test_disk_limit(self):
        self.status(
            "disk_limit", "--tmp-size", "8m", "--timeout", "20s", "-c", "open('/tmp/x', 'wb').write(b'x' * 20000000)"
        )

    def test_output_limit(self):
        done = self.status(
            "output_limit", "--stdout-limit", "10k", "-c", "print('first');\nwhile True: print('x' * 100)"
        )
        self.assertTrue(done["stdout"].startswith("first\nxxx"))
        shown, _, note = done["stdout"].rpartition("\n[output truncated: ")
        self.assertEqual(len(shown), 10240)
        self.assertRegex(note, r"^[0-9,]+ bytes, first 10,240 shown\]\n$")
        self.assertTrue(done["truncated"]["stdout"])
        self.assertFalse(done["truncated"]["stderr"])

    def test_result_invalid(self):
        for code in (
            "result = float('nan')",
            "result = object()",
            "result = 'x' * 2000000",
            "result = {1: 2, (1,): 3}",
            "result = []\nresult.append(result)",
            "result = '\\ud800'",
        ):
            done = self.status("result_invalid", "-c", code)
            self.assertIsNone(done["result"], code)
            self.assertTrue(done["error"]["message"], code)

    def test_result_against_its_schema(self):
        schema = '{"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}'
        self.assertEqual(self.ok("--result-schema", schema, "-c", "result = {'n': 1}")["result"], {"n": 1})
        self.status("result_invalid", "--result-schema", schema, "-c", "result = {'n': 'one'}")
        self.status("result_invalid", "--result-schema", schema, "-c", "pass")

    def test_rejected_never_ran(self):
        done = self.status(
            "rejected", "--input-schema", '{"type": "array"}', "--input", '{"a": 1}', "-c", "print('ran')"
        )
        self.assertEqual((done["stdout"], done["exit_code"]), ("", None))
        self.assertIn("input", done["error"]["message"])

    def test_limits_do_not_hide_each_other(self):
        done = self.status(
            "memory_limit",
            "--memory",
            "64m",
            "--tmp-size",
            "200m",
            "--timeout",
            "20s",
            "-c",
            "print('before', flush=True)\nheld = []\nwhile True: held.append(b'x' * 1000000)",
        )
        self.assertEqual(done["stdout"], "before\n")


class Denials(Case):
    def test_system_call(self):
        done = self.ok(
            "-c",
            "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
            "for _ in range(3): libc.unshare(0x10000000)\nresult = ctypes.get_errno()",
        )
        denial = next(denial for denial in done["denials"] if "unshare" in denial["what"])
        self.assertEqual((done["result"], denial["kind"], denial["count"]), (1, "syscall", 3))
        self.assertTrue(denial["remedy"])

    def test_network(self):
        done = self.ok(
            "-c",
            "import socket\ntry: socket.create_connection(('192.0.2.1', 443), 2)\n"
            "except OSError as error: result = error.errno",
        )
        self.assertGreater(done["result"], 0)
        denial = next(denial for denial in done["denials"] if denial["kind"] == "network")
        self.assertIn("192.0.2.1:443", denial["what"])
        self.assertTrue(denial["remedy"])

    def test_path(self):
        done = self.status("error", "-c", "open('/home/user/data.csv')")
        denial = next((denial for denial in done["denials"] if denial["kind"] == "path"), None)
        self.assertIsNotNone(denial, done.tell())
        self.assertIn("/home/user/data.csv", denial["what"])
        self.assertIn("--", denial["remedy"])

    def test_limit(self):
        done = self.status("disk_limit", "--tmp-size", "4m", "-c", "open('/tmp/x', 'wb').write(b'x' * 9000000)")
        denial = next((denial for denial in done["denials"] if denial["kind"] == "limit"), None)
        self.assertIsNotNone(denial, done.tell())
        self.assertIn("tmp", denial["what"])
        self.assertTrue(denial["remedy"])

    def test_harmless_program_has_none(self):
        self.assertEqual(self.ok("-c", "import json, threading, subprocess\nsubprocess.run(['true'])")["denials"], [])

    def test_human_output_has_one_line(self):
        done = self.run_text(
            "-c", "import socket\ntry: socket.create_connection(('192.0.2.1', 443), 2)\nexcept OSError: pass"
        )
        lines = [line for line in done.stderr.decode().splitlines() if "192.0.2.1" in line]
        self.assertEqual(len(lines), 1, done.stderr)


class WithoutJson(Case):
    def test_streams_are_the_programs_own(self):
        done = self.run_text(
            "-c", "import sys\nsys.stdout.buffer.write(bytes(range(256)))\nprint('e', file=sys.stderr)"
        )
        self.assertEqual((done.code, done.stdout), (0, bytes(range(256))))
        # Ours, and one line only, is what this host cannot hold.
        weaker = self.ok("-c", "pass")["isolation"]["not_enforced"]
        self.assertRegex(done.stderr, rb"\Ae\nweaker [^\n]*\n\Z" if weaker else rb"\Ae\n\Z")

    def test_exit_codes(self):
        self.assertEqual(self.run_text("-c", "raise SystemExit(7)").code, 7)
        self.assertEqual(self.run_text("--timeout", "300ms", "-c", "import time; time.sleep(9)").code, 124)
        self.assertEqual(self.run_text("--", "sh", "-c", "exit 9").code, 9)

    def test_unusual_ends_are_told_on_stderr(self):
        done = self.run_text("--timeout", "300ms", "-c", "import time; time.sleep(9)")
        self.assertIn(b"timeout", done.stderr.lower().replace(b"timed out", b"timeout"))
        self.assertNotIn(b"\x1b[", done.stderr)

    def test_terminal_escapes_of_names_are_not_printed_by_us(self):
        done = self.run_text(
            "--collect",
            "**",
            "--output-dir",
            str(self.place / "out"),
            "-c",
            "open('/workspace/\\x1b[2J', 'w').write('x')",
        )
        self.assertNotIn(b"\x1b[2J", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
