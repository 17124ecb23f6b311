#!/usr/bin/env python3
"""The resident engine: the same answers as a cold run, its socket, its signals, and its end by SIGKILL."""

import http.client
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine, UnixConnection  # noqa: E402

# Of a result object, what differs from run to run; of the usage, all that is measured.
OWN = ("id", "timings", "usage")
TRACES_LEFT_S = 5

PROGRAMS = {
    "result": ["-c", "result = {'big': 10**30, 'half': 0.5, 'text': 'caf\\u00e9'}"],
    "output": ["-c", "import sys; print('out'); print('err', file=sys.stderr)"],
    "bytes that are no text": ["-c", "import sys; sys.stdout.buffer.write(bytes(range(256)))"],
    "much output": ["-c", "import sys\nfor n in range(3000): print('x' * 100)\nprint('end', file=sys.stderr)"],
    "error": ["-c", "def f(): raise ValueError('bad')\nf()"],
    "exit code": ["-c", "import sys; sys.exit(7)"],
    "signal": ["-c", "import os; os.kill(os.getpid(), 15)"],
    "arguments": ["-c", "import sys; result = sys.argv", "a", "--json"],
    "input": ["--input", '{"n": 1e2}', "-c", "result = INPUT_DATA"],
    "bad input": ["--input", '{"n": 1, "n": 2}', "-c", "result = INPUT_DATA"],
    "schemas": ["--result-schema", '{"type": "string"}', "-c", "result = 1"],
    "environment": ["-e", "WORD=a b", "-c", "import os; result = os.environ['WORD']"],
    "a variable that is no text": ["-e", b"WORD=\xff", "-c", "import os; result = len(os.environb[b'WORD'])"],
    "command": ["--", "sh", "-c", "echo $0; exit 3"],
    "no such command": ["--", "no-such-command"],
    "limit": ["--stdout-limit", "1k", "-c", "while True: print('x' * 999)"],
    "timeout": ["--timeout", "300ms", "-c", "import time; time.sleep(60)"],
    "impossible limit": ["--memory", "1k", "-c", "pass"],
    "denial": ["-c", "open('/home/nobody/secret')"],
    "display": ["-c", "class Table:\n    def _repr_html_(self): return '<b>1</b>'\n"
                "    def __repr__(self): return '1'\ndisplay(Table())"],
    "collected files": ["--collect", "**", "-c", "open('f.bin', 'wb').write(b'\\xff' * 10)"],
    "too strong a tier": ["--require", "microvm", "-c", "pass"],
}


class Serve(Case):
    flags = ()

    def setUp(self):
        super().setUp()
        self.engine = Engine(self.place / "engine.sock", self.env, *self.flags)
        self.addCleanup(self.engine.end)
        self.assertIn("serving at", self.engine.first_line)
        self.resident = {**self.env, "CASEMATE_SOCKET": self.engine.path}

    def both_ways(self, arguments, **options):
        """Runs cold and through the engine; both outcomes."""
        return (
            casemate.run(["run", "--no-engine", *arguments], env=self.resident, **options),
            casemate.run(["run", "--engine", self.engine.path, *arguments], env=self.resident, **options),
        )

    def start_run(self, *arguments, **options):
        options.setdefault("env", self.resident)
        return casemate.start(["run", *arguments], **options)


def same_note(answer):
    """Without the count of what a program wrote before it was ended, which is another one each time."""
    return re.sub(r"truncated: [0-9,]+ bytes", "truncated", repr(answer))


class Answers(Serve):
    def test_are_those_of_a_cold_run(self):
        for name, arguments in PROGRAMS.items():
            if name in ("a variable that is no text", "bad input"):
                continue  # no request object can tell them: they are run cold
            with self.subTest(name):
                cold, warm = self.both_ways(["--json", *arguments])
                self.assertEqual(cold.code, warm.code, warm.tell())
                self.assertEqual(cold.stderr, warm.stderr)
                self.assertEqual(same_note({k: v for k, v in cold.json.items() if k not in OWN}),
                                 same_note({k: v for k, v in warm.json.items() if k not in OWN}))
                if "limit" not in name:
                    for count in ("stdout_bytes", "stderr_bytes"):
                        self.assertEqual(cold["usage"][count], warm["usage"][count])

    def test_are_the_same_for_people_too(self):
        for name, arguments in PROGRAMS.items():
            with self.subTest(name):
                cold = casemate.run(["run", "--no-engine", *arguments], env=self.resident)
                warm = casemate.run(["run", *arguments], env=self.resident)
                self.assertEqual(same_note((cold.code, cold.stdout, cold.stderr)),
                                 same_note((warm.code, warm.stdout, warm.stderr)))

    def test_host_folders_and_files(self):
        (self.place / "work").mkdir(mode=0o777)
        os.chmod(self.place / "work", 0o777)
        (self.place / "work" / "in.txt").write_text("here")
        code = "import os; result = [os.listdir('/workspace'), os.listdir('/data')]"
        cold, warm = self.both_ways(["--json", "-w", "work", "-v", "work:/data", "-c", code], cwd=self.place)
        self.assertEqual(cold["result"], [["in.txt"], ["in.txt"]], cold.tell())
        self.assertEqual(cold["result"], warm["result"], warm.tell())
        (self.place / "large").write_bytes(bytes(20 << 20))
        cold, warm = self.both_ways(["--json", "--file", "b=large", "--tmp-size", "200m", "--memory", "500m", "-c",
                                     "import os; result = os.path.getsize('b')"], cwd=self.place)
        self.assertEqual(cold["result"], 20 << 20, cold.tell())
        self.assertEqual(cold["result"], warm["result"], warm.tell())

    def test_output_folder(self):
        for flag in ("--no-engine", f"--engine={self.engine.path}"):
            folder = self.place / flag.strip("-").replace("/", "_")
            done = casemate.run(["run", flag, "--collect", "*", "--output-dir", str(folder), "-c",
                                 "open('f', 'w').write('text')"], env=self.resident)
            self.assertEqual(done.code, 0, done.tell())
            self.assertEqual((folder / "f").read_text(), "text")

    def test_stdin(self):
        code = "import sys; data = sys.stdin.buffer.read(); result = [len(data), data[:1] == b'\\xff']"
        for given in (b"", b"\xff" * 1000):
            cold = casemate.run(["run", "--json", "--no-engine", "-i", "-c", code], env=self.resident, stdin=given)
            warm = casemate.run(["run", "--json", "-i", "-c", code], env=self.resident, stdin=given)
            self.assertEqual(cold["result"], [len(given), given != b""], cold.tell())
            self.assertEqual(cold["result"], warm["result"], warm.tell())
        # What comes as it comes is run here, with the same answer.
        process = self.start_run("--json", "-i", "-c", code, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(b"\xff" * 10)
        process.stdin.close()
        self.assertEqual(json.loads(process.stdout.read())["result"], [10, True])
        process.stdout.close()
        casemate.finish(process)
        with open("/proc/self/cmdline", "rb") as given:  # a file whose size says nothing
            process = self.start_run("--json", "-i", "-c", code, stdin=given, stdout=subprocess.PIPE)
            self.assertGreater(json.loads(process.stdout.read())["result"][0], 5)
            process.stdout.close()
            casemate.finish(process)

    def test_output_comes_while_the_program_runs(self):
        code = "import time; print('first', flush=True); time.sleep(60)"
        process = self.start_run("-c", code, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.assertEqual(process.stdout.readline(), b"first\n")
        self.assertEqual(self.engine.health()["running"], 1, "it is the engine's")
        process.send_signal(signal.SIGINT)
        casemate.finish(process)
        process.stdout.close()
        self.assertEqual(process.returncode, 130)
        self.assertFalse(self.engine.wait_for_runs(0))

    def test_flags_choose_the_engine(self):
        nobody = str(self.place / "nobody.sock")
        done = casemate.run(["run", "--engine", nobody, "-c", "pass"], env=self.env)
        self.assertEqual(done.code, 126, done.tell())
        self.assertIn(b"casemate serve", done.stderr)
        done = casemate.run(["run", "--json", "-c", "result = 1"], env={**self.env, "CASEMATE_SOCKET": nobody})
        self.assertEqual(done["result"], 1)
        # A socket that nobody listens at is no engine either.
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(nobody)
        done = casemate.run(["run", "--json", "-c", "result = 1"], env={**self.env, "CASEMATE_SOCKET": nobody})
        self.assertEqual(done["result"], 1)
        done = casemate.run(["run", "--engine", self.engine.path, "--python", "/usr/bin/python3", "-c", "pass"])
        self.assertEqual(done.code, 126, done.tell())

    def test_an_engine_that_stands_still_is_left_out(self):
        self.engine.process.send_signal(signal.SIGSTOP)
        try:
            done = casemate.run(["run", "--json", "-c", "result = 1"], env=self.resident)
            self.assertEqual(done["result"], 1, done.tell())
        finally:
            self.engine.process.send_signal(signal.SIGCONT)


class AnswersWithoutPools(Answers):
    flags = ("--pool-size", "0")


class Http(Serve):
    def test_one_connection_carries_many_requests(self):
        connection = UnixConnection(self.engine.path)
        for number in range(3):
            connection.request("POST", "/v1/run", json.dumps({"code": f"result = {number}"}))
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            self.assertEqual(json.loads(answer.read())["result"], number)
        # An iterable body is sent in chunks.
        connection.request("POST", "/v1/run", iter([b'{"code": ', b'"result = 9"}']))
        self.assertEqual(json.loads(connection.getresponse().read())["result"], 9)
        connection.close()

    def test_every_field_arrives(self):
        status, result = self.engine.run(
            code="import os, sys\nresult = [INPUT_DATA, open('a/t').read(), list(open('b', 'rb').read()),"
                 " sys.stdin.read(), os.environ['WORD'], sys.argv, __file__]\nopen('out', 'w').write('x')",
            code_name="my.py", args=["one"], input={"k": [1, None]}, input_schema={"type": "object"},
            result_schema={"type": "array"}, files={"a/t": "text", "b": {"base64": "/wA="}}, stdin="given",
            env={"WORD": "w"}, collect=["out"], limits={"wall_time_ms": 20000, "cpus": 1}, policy="default",
            environment="host", isolation="auto", require="process", require_limits=False)
        self.assertEqual(status, 200)
        self.assertEqual(result["status"], "ok", result)
        self.assertEqual(result["result"][:5], [{"k": [1, None]}, "text", [255, 0], "given", "w"])
        self.assertEqual(result["result"][5:], [["my.py", "one"], "/code/my.py"])
        self.assertEqual(result["files"][0]["content_base64"], "eA==")

    def test_statuses_are_results_and_bad_requests_are_not(self):
        status, result = self.engine.run(code="pass", limits={"memory_bytes": 1})
        self.assertEqual((status, result["status"]), (200, "rejected"))
        status, result = self.engine.run(code="pass", require="microvm")
        self.assertEqual((status, result["status"]), (200, "unavailable"))
        status, result = self.engine.run(code="pass", typo=1)
        self.assertEqual(status, 400)
        self.assertIn('"typo"', result["detail"])

    def test_events_come_as_lines(self):
        status, body = self.engine.ask("POST", "/v1/run", json.dumps({"code": "print('x'); result = 1"}),
                                       {"Accept": "application/x-ndjson"})
        events = [casemate.strict_json(line) for line in body.decode().splitlines()]
        self.assertEqual(status, 200)
        self.assertEqual([event["event"] for event in events], ["started", "stdout", "result", "finished"])
        self.assertEqual(events[3]["result"]["id"], events[0]["id"])
        self.assertGreaterEqual(set(events[3]["result"]), casemate.FIELDS)

    def test_health(self):
        health = self.engine.health()
        self.assertEqual((health["status"], health["pid"], health["running"]), ("ok", self.engine.process.pid, 0))
        self.assertIsInstance(health["pools"], list)

    def test_a_client_that_is_killed_takes_its_run_with_it(self):
        marker = secrets.token_hex(12)
        process = self.start_run("-e", f"PROBE_MARK={marker}", "-c", "import time; time.sleep(60)")
        self.assertFalse(self.engine.wait_for_runs(1))
        process.kill()
        casemate.finish(process)
        self.assertFalse(self.engine.wait_for_runs(0))
        self.assertEqual(casemate.settle(lambda: casemate.marked(marker), TRACES_LEFT_S), [])

    def test_only_its_user_may_connect(self):
        self.assertEqual(os.stat(self.engine.path).st_mode & 0o777, 0o600)
        if os.geteuid() != 0:
            self.skipTest("only root can become another user")
        os.chmod(self.engine.path, 0o666)  # as if a careless administrator had
        child = os.fork()
        if child == 0:
            try:
                os.chmod(self.folder, 0o755)
                os.setgid(12345)
                os.setuid(12345)
                self.engine.health()
                os._exit(0)
            except (http.client.HTTPException, ConnectionError):
                os._exit(3)
            finally:
                os._exit(4)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 3)


class Life(Serve):
    def test_a_second_engine_is_refused(self):
        done = casemate.run(["serve", "--socket", self.engine.path], env=self.env)
        self.assertEqual(done.code, 126, done.tell())
        self.assertIn(f"process {self.engine.process.pid}", done.stderr.decode())
        self.assertEqual(self.engine.health()["status"], "ok")

    def test_killed_engine_leaves_nothing_and_its_place_is_free(self):
        marker = secrets.token_hex(12)
        runs = [self.start_run("--json", "-e", f"PROBE_MARK={marker}", "-c", "import time; time.sleep(60)",
                               stdout=subprocess.PIPE) for _ in range(3)]
        self.assertFalse(self.engine.wait_for_runs(3))
        self.assertEqual(self.engine.end(signal.SIGKILL), -signal.SIGKILL)
        for run in runs:
            result = json.loads(run.stdout.read())
            run.stdout.close()
            casemate.finish(run)
            self.assertEqual(result["status"], "failed", "no accepted run is lost in silence")
            self.assertIn("went away", result["error"]["message"])
            self.assertEqual(run.returncode, 125)
        left = casemate.settle(lambda: casemate.marked(marker) + casemate.orphans(), TRACES_LEFT_S)
        self.assertEqual(left, [])
        self.engine = Engine(self.engine.path, self.env)
        self.addCleanup(self.engine.end)
        self.assertEqual(self.engine.run(code="result = 1")[1]["result"], 1)
        self.assertEqual(self.engine.end(), 0)
        self.assertEqual(os.listdir(self.place), [])
        done = casemate.run(["gc", "--json"], env=self.env)
        self.assertEqual(done.code, 0, done.tell())

    def test_sigterm_lets_runs_end_and_takes_no_more(self):
        code = "import time; print('in', flush=True); time.sleep(2); result = 'done'"
        process = self.start_run("--json", "-c", code, stdout=subprocess.PIPE)
        self.assertFalse(self.engine.wait_for_runs(1))
        self.engine.process.send_signal(signal.SIGTERM)
        self.assertEqual(casemate.settle(lambda: os.path.exists(self.engine.path), 10), False)
        done = casemate.run(["run", "--json", "-c", "result = 1"], env=self.resident)
        self.assertEqual(done["result"], 1, "a run that comes now is made cold")
        self.assertEqual(json.loads(process.stdout.read())["result"], "done")
        process.stdout.close()
        casemate.finish(process)
        self.engine.process.wait(60 * casemate.SLOW)
        self.assertEqual(self.engine.process.returncode, 0)

    def test_drain_has_an_end(self):
        self.assertEqual(self.engine.end(), 0)
        self.engine = Engine(self.engine.path, self.env, "--drain-timeout", "500ms")
        self.addCleanup(self.engine.end)
        process = self.start_run("--json", "-c", "import time; time.sleep(60)", stdout=subprocess.PIPE)
        self.assertFalse(self.engine.wait_for_runs(1))
        self.assertEqual(self.engine.end(signal.SIGINT), 0)
        self.assertEqual(json.loads(process.stdout.read())["status"], "cancelled")
        process.stdout.close()
        casemate.finish(process)

    def test_a_second_signal_ends_it_at_once(self):
        marker = secrets.token_hex(12)
        process = self.start_run("--json", "-e", f"PROBE_MARK={marker}", "-c", "import time; time.sleep(60)",
                                 stdout=subprocess.DEVNULL)
        self.assertFalse(self.engine.wait_for_runs(1))
        self.engine.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        self.assertIsNone(self.engine.process.poll(), "it waits for the run")
        self.assertEqual(self.engine.end(signal.SIGTERM), 143)
        casemate.finish(process)
        left = casemate.settle(lambda: casemate.marked(marker) + casemate.orphans(), TRACES_LEFT_S)
        self.assertEqual(left, [])

    def test_tells_the_service_manager_when_it_is_ready(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(self.place / "notify"))
            manager.settimeout(30 * casemate.SLOW)
            other = Engine(self.place / "other.sock", {**self.env, "NOTIFY_SOCKET": str(self.place / "notify")})
            self.addCleanup(other.end)
            self.assertEqual(manager.recv(100), b"READY=1")

    def test_bad_flags_are_refused(self):
        for flags in (["--sockt", "x"], ["--pool-size", "-1"], ["--preload", "numpy;os"], ["--drain-timeout"],
                      ["--socket", "/tmp/" + "x" * 120], ["word"]):
            done = casemate.run(["serve", *flags], env=self.env)
            self.assertEqual(done.code, 126, done.tell())
            self.assertEqual(done.stderr.count(b"\n"), 1)


if __name__ == "__main__":
    casemate.die_with_tests()
    unittest.main(verbosity=2)
