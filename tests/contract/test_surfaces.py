#!/usr/bin/env python3
"""One request through the library, the command line, HTTP, its events, MCP and the SDK gives the same result object."""

import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine, UnixConnection  # noqa: E402

# Of a result object, what differs from run to run.
OWN = ("id", "timings", "usage")
LIBRARY = pathlib.Path(casemate.BINARY).resolve().parent / "tests" / "contract" / "library_run"

PROGRAM = """
import os, sys
print('out', sys.argv[1:], sys.stdin.read())
print('err', file=sys.stderr)
print('sk-ant-api03-' + 'aB3' * 31 + 'AA')
class Table:
    def _repr_html_(self): return '<b>1</b>'
    def __repr__(self): return '1'
display(Table())
open('left.txt', 'w').write('left')
result = {'input': INPUT_DATA, 'file': open('given.bin', 'rb').read().hex()}
"""
MEMORY = 200 << 20

# name -> (request object, flags of `casemate run`, arguments of MCP's tool or None, options of the SDK)
CASES = {
    "all kinds of data": (
        {"code": PROGRAM, "input": {"n": 10**30, "t": "caf\u00e9"}, "args": ["a", "--b"], "stdin": "in",
         "files": {"given.bin": {"base64": "/wA="}}, "collect": ["*.txt"], "limits": {"memory_bytes": MEMORY}},
        ["--input", '{"n": 1000000000000000000000000000000, "t": "caf\u00e9"}', "--stdin", "--file", "given.bin=@",
         "--collect", "*.txt", "--memory", "200m", "-c", PROGRAM, "a", "--b"],
        {"code": PROGRAM, "input": {"n": 10**30, "t": "caf\u00e9"}, "args": ["a", "--b"], "stdin": "in",
         "files": {"given.bin": {"base64": "/wA="}}, "collect": ["*.txt"], "memory_mb": 200},
        {"code": PROGRAM, "input": {"n": 10**30, "t": "caf\u00e9"}, "args": ["a", "--b"], "stdin": "in",
         "files": {"given.bin": {"hex": "ff00"}}, "collect": ["*.txt"], "memory": "200m"}),
    "an exception": ({"code": "def f():\n    raise ValueError('bad')\nf()"},
                     ["-c", "def f():\n    raise ValueError('bad')\nf()"],
                     {"code": "def f():\n    raise ValueError('bad')\nf()"},
                     {"code": "def f():\n    raise ValueError('bad')\nf()"}),
    "a command": ({"command": ["sh", "-c", "echo $0; exit 3"]}, ["--", "sh", "-c", "echo $0; exit 3"],
                  {"command": ["sh", "-c", "echo $0; exit 3"]}, {"command": ["sh", "-c", "echo $0; exit 3"]}),
    "a timeout": ({"code": "import time; time.sleep(60)", "limits": {"wall_time_ms": 300}},
                  ["--timeout", "300ms", "-c", "import time; time.sleep(60)"],
                  {"code": "import time; time.sleep(60)", "timeout_seconds": 0.3},
                  {"code": "import time; time.sleep(60)", "timeout": 0.3}),
    "a refusal": ({"code": "import socket", "checks": "checked"}, ["--checks", "checked", "-c", "import socket"], None,
                  {"code": "import socket", "checks": "checked"}),
    "a policy that there is not": ({"code": "x", "policy": "lax"}, ["--policy", "lax", "-c", "x"], None,
                                   {"code": "x", "policy": "lax"}),
    "too strong a tier": ({"code": "x", "require": "microvm"}, ["--require", "microvm", "-c", "x"], None,
                          {"code": "x", "require": "microvm"}),
}

SDK = """
import json, sys
import casemate
sandbox = casemate.Sandbox(url="unix:" + sys.argv[1])
for options in json.load(sys.stdin):
    for name, content in options.get("files", {}).items():
        options["files"][name] = bytes.fromhex(content["hex"])
    print(json.dumps(sandbox.run(**options).to_json()))
"""


def shared(result):
    return {key: value for key, value in result.items() if key not in OWN}


class Surfaces(Case):
    def setUp(self):
        super().setUp()
        self.engine = Engine(self.place / "engine.sock", self.env)
        self.addCleanup(self.engine.end)

    def by_library(self):
        for request, *_ in CASES.values():
            done = subprocess.run([LIBRARY], input=json.dumps(request).encode(), env=self.env, capture_output=True)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            yield casemate.strict_json(done.stdout.decode())

    def by_command_line(self):
        (self.place / "given").write_bytes(b"\xff\x00")
        for _, flags, *_ in CASES.values():
            flags = [flag.replace("=@", f"={self.place / 'given'}") for flag in flags]
            yield self.run_json("--no-engine", *flags, stdin=b"in").json

    def by_http(self):
        connection = UnixConnection(self.engine.path)
        for request, *_ in CASES.values():
            connection.request("POST", "/v1/run", json.dumps(request))
            yield casemate.strict_json(connection.getresponse().read().decode())
        connection.close()

    def by_events(self):
        connection = UnixConnection(self.engine.path)
        for request, *_ in CASES.values():
            connection.request("POST", "/v1/run", json.dumps(request), {"Accept": "application/x-ndjson"})
            last = connection.getresponse().read().decode().splitlines()[-1]
            yield casemate.strict_json(last)["result"]
        connection.close()

    def by_mcp(self):
        process = casemate.start(["mcp", "--engine", self.engine.path], env=self.env, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        for _, _, arguments, _ in CASES.values():
            if arguments is None:
                yield None
                continue
            tool = "run_command" if "command" in arguments else "run_python"
            call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
            process.stdin.write(json.dumps(call).encode() + b"\n")
            process.stdin.flush()
            yield casemate.strict_json(process.stdout.readline().decode())["result"]["structuredContent"]
        process.stdin.close()
        casemate.finish(process)
        process.stdout.close()

    def by_sdk(self):
        env = {**self.env, "PYTHONPATH": str(casemate.REPOSITORY / "sdk" / "python" / "src")}
        done = subprocess.run([sys.executable, "-c", SDK, self.engine.path], text=True, capture_output=True, env=env,
                              input=json.dumps([options for *_, options in CASES.values()]))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [casemate.strict_json(line) for line in done.stdout.splitlines()]

    def test_one_request_has_one_answer(self):
        ways = {"http": self.by_http, "cli": self.by_command_line, "events": self.by_events, "mcp": self.by_mcp,
                "sdk": self.by_sdk, "library": self.by_library}
        answers = {way: list(ask()) for way, ask in ways.items()}
        statuses = [answer["status"] for answer in answers["http"]]
        self.assertEqual(statuses, ["ok", "error", "error", "timeout", "rejected", "rejected", "unavailable"])
        for number, name in enumerate(CASES):
            expected = answers["http"][number]
            for way, found in answers.items():
                with self.subTest(name, way=way):
                    if found[number] is None:
                        continue
                    self.assertEqual(list(found[number]), list(expected), "the fields and their order")
                    self.assertEqual(shared(found[number]), shared(expected))
                    self.assertEqual(set(found[number]["usage"]), set(expected["usage"]))


if __name__ == "__main__":
    unittest.main()
