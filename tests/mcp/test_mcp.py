#!/usr/bin/env python3
"""`casemate mcp`: JSON-RPC over stdio to its last byte, tools, refusals, cancellation, progress; and a real client."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import casemate  # noqa: E402
import packages  # noqa: E402
from case import Case  # noqa: E402

LINE_MAX_S = 30


class Client:
    """Speaks to one `casemate mcp`, a message a line."""

    def __init__(self, env, *flags):
        self.process = casemate.start(["mcp", *flags], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE)

    def write(self, line):
        self.process.stdin.write(line if isinstance(line, bytes) else line.encode())
        self.process.stdin.flush()

    def send(self, method, params=None, id=None):
        message = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        if id is not None:
            message["id"] = id
        self.write(json.dumps(message) + "\n")

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"casemate mcp ended: {self.process.stderr.read()!r}")
        message = casemate.strict_json(line.decode("utf-8"))
        if message["jsonrpc"] != "2.0" or "\r" in line.decode():
            raise AssertionError(line)
        return message

    def ask(self, method, params=None, id=1):
        self.send(method, params, id)
        return self.read()

    def call(self, tool, arguments, id=1, **more):
        answer = self.ask("tools/call", {"name": tool, "arguments": arguments, **more}, id)
        return answer["result"]

    def end(self):
        self.process.stdin.close()
        code = self.process.wait(60)
        casemate.finish(self.process)
        said = self.process.stderr.read().decode()
        self.process.stdout.close(), self.process.stderr.close()
        return code, said


class Mcp(Case):
    flags = ("--no-engine",)

    def setUp(self):
        super().setUp()
        self.client = Client(self.env, *self.flags)
        self.addCleanup(self.close)

    def close(self):
        if self.client.process.stdout.closed:
            return
        self.assertEqual(self.client.end(), (0, ""))

    def refused(self, answer, code, word):
        self.assertEqual(answer["error"]["code"], code, answer)
        self.assertIn(word, answer["error"]["message"])
        self.assertNotIn("result", answer)


class Protocol(Mcp):
    def test_versions(self):
        for asked, given in (("2025-06-18", "2025-06-18"), ("2025-03-26", "2025-03-26"), ("2024-11-05", "2025-06-18"),
                             ("2099-01-01", "2025-06-18"), (7, "2025-06-18")):
            hello = self.client.ask("initialize", {"protocolVersion": asked, "capabilities": {},
                                                   "clientInfo": {"name": "test", "version": "1"}}, "a")
            self.assertEqual(hello["id"], "a")
            self.assertEqual(hello["result"]["protocolVersion"], given)
            self.assertEqual(hello["result"]["serverInfo"]["name"], "casemate")
            self.assertIn("tools", hello["result"]["capabilities"])
        self.client.send("notifications/initialized")
        self.assertEqual(self.client.ask("ping", id=5), {"jsonrpc": "2.0", "id": 5, "result": {}})

    def test_tools_are_those_of_the_data_file(self):
        listed = self.client.ask("tools/list")["result"]["tools"]
        data = json.loads((casemate.REPOSITORY / "profiles" / "tools" / "tools.json").read_text())
        self.assertEqual(listed, data)

    def test_what_is_no_message(self):
        for line, code, word in (
            ("{", -32700, "JSON"), ("\xff\xfe", -32700, "JSON"), ("nonsense", -32700, "JSON"),
            ('{"a":1,"a":2}', -32700, "twice"), ("[" * 2000, -32700, "nest"), ("7", -32600, "object"),
            ("[]", -32600, "batch"), ("{}", -32600, "jsonrpc"),
            ('{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, "2.0"),
            ('{"jsonrpc":"2.0","id":1}', -32600, "method"), ('{"jsonrpc":"2.0","id":1,"method":7}', -32600, "text"),
            ('{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, "id"),
            ('{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, "id"),
            ('{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602, "object"),
        ):
            with self.subTest(line[:40]):
                self.client.write(line.encode("latin-1") + b"\n")
                self.refused(self.client.read(), code, word)
        self.client.write("\n \r\n")
        self.assertEqual(self.client.ask("ping", id="x")["id"], "x")

    def test_a_batch_and_what_is_not_asked(self):
        ping = {"jsonrpc": "2.0", "method": "ping"}
        batch = [{**ping, "id": 1}, ping, {"jsonrpc": "2.0", "id": 9, "result": {}}, 3, {**ping, "id": 2}]
        self.client.write(json.dumps(batch) + "\n")
        answers = [self.client.read() for _ in range(3)]
        self.assertEqual([answer["id"] for answer in answers], [1, None, 2])

    def test_methods_and_tools_that_there_are_not(self):
        self.refused(self.client.ask("resources/list"), -32601, "resources/list")
        for params, word in ((None, "params"), ({}, "name"), ({"name": 7}, "name"), ({"name": "rm"}, '"rm"'),
                             ({"name": "run_python", "arguments": []}, "object")):
            self.refused(self.client.ask("tools/call", params), -32602, word)

    def test_end_of_input_and_signals_end_it_with_what_runs(self):
        for how in ("eof", signal.SIGTERM, signal.SIGINT):
            client = Client(self.env, *self.flags)
            client.send("tools/call", {"name": "run_python", "_meta": {"progressToken": 1}, "arguments": {
                "code": "import time; print('on', flush=True); time.sleep(60)", "timeout_seconds": 60}}, 1)
            self.assertEqual(client.read()["params"]["message"], "on\n")
            begin = time.monotonic()
            if how != "eof":
                client.process.send_signal(how)
            self.assertEqual(client.end()[0], 0)
            self.assertLess(time.monotonic() - begin, 5 * casemate.SLOW)


class Tools(Mcp):
    def test_run_python(self):
        answer = self.client.call("run_python", {
            "code": "import sys\nprint(open('f').read(), sys.argv[1:], sys.stdin.read())\nresult = INPUT_DATA\n"
                    "open('out.txt', 'w').write('left')",
            "input": {"big": 10**30}, "args": ["a"], "stdin": "in", "files": {"f": {"base64": "aGk="}},
            "collect": ["*.txt"], "timeout_seconds": 20.5, "memory_mb": 200})
        self.assertEqual(answer["isError"], False)
        self.assertEqual(answer["content"][0]["type"], "text")
        self.assertIn("hi ['a'] in\n", answer["content"][0]["text"])
        self.assertIn('result: {"big":1000000000000000000000000000000}', answer["content"][0]["text"])
        done = answer["structuredContent"]
        self.assertGreaterEqual(set(done), casemate.FIELDS)
        self.assertEqual((done["status"], done["result"]), ("ok", {"big": 10**30}))
        self.assertEqual(done["files"][0]["name"], "out.txt")

    def test_failures_say_what_to_correct(self):
        for code, words in {
            "1/0": ("status: error", "ZeroDivisionError", "line 1"),
            "import time; time.sleep(60)": ("status: timeout",),
            "import urllib.request as u; u.urlopen('http://192.0.2.1')": ("refused: network",),
        }.items():
            answer = self.client.call("run_python", {"code": code, "timeout_seconds": 1})
            self.assertTrue(answer["isError"], answer)
            for word in words:
                self.assertIn(word, answer["content"][0]["text"])

    def test_run_command(self):
        answer = self.client.call("run_command", {"command": ["sh", "-c", "cat; exit 3"], "stdin": "in"})
        self.assertEqual((answer["isError"], answer["structuredContent"]["exit_code"]), (True, 3))
        self.assertIn("exit code: 3\nin", answer["content"][0]["text"])

    def test_check_code(self):
        answer = self.client.call("check_code", {"code": "import socket\nx = 1"})
        self.assertEqual((answer["isError"], answer["structuredContent"]["refused"]), (False, True))
        self.assertTrue(answer["content"][0]["text"].startswith("1:"), answer["content"])
        self.assertEqual(set(answer["structuredContent"]), {"refused", "cut", "findings", "complexity"})
        self.assertEqual(self.client.call("check_code", {"code": "x = 1"})["content"][0]["text"], "Nothing was found.")

    def test_arguments_that_a_model_can_correct(self):
        for tool, arguments, word in (
            ("run_python", {}, '"code"'), ("run_python", {"code": 7}, '"code" must be'),
            ("run_python", {"code": "x", "secrets": {"A": "env:HOME"}}, '"secrets"'),
            ("run_python", {"code": "x", "mounts": []}, '"mounts"'),
            ("run_python", {"code": "x", "args": "a"}, '"args"'),
            ("run_python", {"code": "x", "files": {"f": {"base64": "!"}}}, "base64"),
            ("run_python", {"code": "x", "timeout_seconds": 0}, "above 0"),
            ("run_python", {"code": "x", "timeout_seconds": "1"}, "number"),
            ("run_command", {"command": []}, "command"), ("run_command", {"command": "ls"}, "command"),
            ("run_command", {"command": ["ls"], "input": 1}, '"input"'), ("check_code", {}, '"code"'),
            ("check_code", {"code": "", "x": 1}, '"x"'),
        ):
            with self.subTest(arguments):
                answer = self.client.call(tool, arguments)
                self.assertTrue(answer["isError"])
                self.assertIn(word, answer["content"][0]["text"])

    def test_paths_and_impossible_limits_are_results(self):
        for arguments in ({"code": "x", "files": {"../f": ""}}, {"code": "x", "memory_mb": 1 << 40}):
            answer = self.client.call("run_python", arguments)
            self.assertEqual((answer["isError"], answer["structuredContent"]["status"]), (True, "rejected"))

    def test_calls_run_at_the_same_time_and_are_cancelled_one_by_one(self):
        slow = "import time; print('on', flush=True); time.sleep(60)"
        for id in ("one", 2):
            self.client.send("tools/call", {"name": "run_python", "_meta": {"progressToken": id},
                                            "arguments": {"code": slow, "timeout_seconds": 60}}, id)
            self.assertEqual(self.client.read()["params"], {"progressToken": id, "progress": 1, "message": "on\n"})
        self.refused(self.client.ask("tools/call", {"name": "run_python", "arguments": {"code": "x"}}, 2), -32600, "id")
        self.client.send("notifications/cancelled", {"requestId": "one", "reason": "no need"})
        self.client.send("notifications/cancelled", {"requestId": "never"})
        self.client.send("notifications/cancelled", {})
        # No answer comes for what was cancelled.
        self.assertEqual(self.client.ask("ping", id="p")["id"], "p")
        self.assertEqual(self.client.call("run_python", {"code": "result = 3"}, id=3)["structuredContent"]["result"], 3)
        self.client.send("notifications/cancelled", {"requestId": 2})

    def test_too_many_at_one_time(self):
        for id in range(16):
            self.client.send("tools/call", {"name": "run_python", "_meta": {"progressToken": id}, "arguments": {
                "code": "import time; print('on', flush=True); time.sleep(120)", "timeout_seconds": 120}}, id)
        answer = self.client.ask("tools/call", {"name": "run_python", "arguments": {"code": "x"}}, "late")
        while "id" not in answer:
            answer = self.client.read()
        self.assertEqual(answer["id"], "late")
        self.assertIn("too many", answer["result"]["content"][0]["text"])


class Sessions(Mcp):
    def start(self, **arguments):
        return self.client.call("session_start", arguments)["structuredContent"]["session_id"]

    def test_keep_state_until_they_end(self):
        one = self.start(files={"data.txt": "given"}, memory_mb=200)
        other = self.start()
        step = self.client.call("session_run", {"session_id": one, "code": "x = open('data.txt').read()\nprint(x)"})
        self.assertEqual((step["isError"], step["content"][0]["text"]), (False, "given\n"))
        step = self.client.call("session_run", {"session_id": one, "code": "[x, INPUT_DATA]", "input": 1})
        self.assertEqual(step["structuredContent"]["result"], ["given", 1])
        self.assertEqual(step["structuredContent"]["session"]["id"], one)
        step = self.client.call("session_run", {"session_id": other, "code": "x"})
        self.assertTrue(step["isError"])
        self.assertIn("NameError", step["content"][0]["text"])
        step = self.client.call("session_run", {"session_id": one, "code": "import time; time.sleep(60)",
                                                "timeout_seconds": 0.5})
        self.assertIn("status: timeout", step["content"][0]["text"])
        self.assertEqual(self.client.call("session_run", {"session_id": one, "code": "x"})["isError"], False)
        self.assertEqual(self.client.call("session_end", {"session_id": one})["isError"], False)
        for tool, more in (("session_run", {"code": "x"}), ("session_end", {})):
            self.assertTrue(self.client.call(tool, {"session_id": one, **more})["isError"])

    def test_what_ends_one_is_told(self):
        session = self.start()
        step = self.client.call("session_run", {"session_id": session, "code": "import os; os._exit(1)"})
        self.assertIn("the session has ended: ", step["content"][0]["text"])

    def test_a_step_is_cancelled(self):
        session = self.start()
        self.client.call("session_run", {"session_id": session, "code": "x = 1"})
        self.client.send("tools/call", {"name": "session_run", "_meta": {"progressToken": 1}, "arguments": {
            "session_id": session, "code": "import time; print('on', flush=True); time.sleep(60)"}}, "slow")
        self.assertEqual(self.client.read()["params"]["message"], "on\n")
        self.client.send("notifications/cancelled", {"requestId": "slow"})
        answers = []

        def goes_on():
            answers.append(self.client.call("session_run", {"session_id": session, "code": "x"}))
            return answers[-1]["isError"]

        self.assertFalse(casemate.settle(goes_on, 20), answers)
        self.assertEqual(answers[-1]["structuredContent"]["result"], 1)


class Operator(Mcp):
    flags = ("--no-engine", "--memory", "100m", "--timeout", "2s", "--env", "WORD=w", "--file", "given=/dev/null")

    def test_limits_are_a_ceiling_and_the_rest_is_for_every_program(self):
        answer = self.client.call("run_python", {"code": "import os; result = [os.environ['WORD'], os.listdir('.')]"})
        self.assertEqual(answer["structuredContent"]["result"], ["w", ["given"]], answer)
        for arguments, word in (({"memory_mb": 101}, "at most 100 here"), ({"timeout_seconds": 3}, "at most 2 here")):
            answer = self.client.call("run_python", {"code": "x", **arguments})
            self.assertIn(word, answer["content"][0]["text"])
        answer = self.client.call("run_python", {"code": "import time; time.sleep(60)"})
        self.assertEqual(answer["structuredContent"]["status"], "timeout")

    def test_flags_that_have_no_meaning(self):
        for flags in (["app.py"], ["-c", "pass"], ["--input", "1"], ["--batch", "x"], ["--output-dir", "x"], ["--no"],
                      ["--stdin"], ["--memory"]):
            done = casemate.run(["mcp", *flags], env=self.env)
            self.assertEqual((done.code, done.stdout), (126, b""), flags)
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        self.assertEqual(casemate.run(["mcp", "--help"], env=self.env).code, 0)


class RealClient(Case):
    def test_mcp_package(self):
        python = packages.python_with(HERE.parent / "sdk" / "requirements.txt", "sdk-venv")
        done = subprocess.run([python, HERE / "real_client.py", casemate.BINARY], env={**os.environ, **self.env},
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        seen = json.loads(done.stdout)
        self.assertEqual((seen["version"], seen["server"]), ("2025-06-18", "casemate"))
        self.assertEqual(seen["tools"], {
            "run_python": ["code"], "run_command": ["command"], "check_code": ["code"], "session_start": None,
            "session_run": ["session_id", "code"], "session_end": ["session_id"]})
        text, image = seen["picture"]["content"]
        self.assertEqual((text["type"], image["type"], image["mimeType"]), ("text", "image", "image/png"))
        self.assertTrue(text["text"].startswith("drawn\n"), text)
        self.assertTrue(image["data"].startswith("iVBORw0KGgo"))
        self.assertEqual(seen["picture"]["structured"]["result"], {"n": 1})
        self.assertTrue(seen["error"]["isError"])
        self.assertIn("ZeroDivisionError", seen["error"]["content"][0]["text"])
        self.assertEqual(seen["command"]["structured"]["stdout"], "hi\n")
        self.assertTrue(seen["check"]["structured"]["refused"])
        self.assertTrue(seen["bad"]["isError"])
        self.assertEqual("".join(message for _, message in seen["progress"]), "0\n1\n2\n")
        self.assertEqual(seen["many"], [0, 1, 2, 3, 4])


if __name__ == "__main__":
    unittest.main()
