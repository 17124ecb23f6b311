#!/usr/bin/env python3
"""Each call that GET /openapi.json tells of, from curl and from the SDK, through the real server. A call that is
described and has no line here fails the test, and so does a line for a call that is not.
"""

import asyncio
import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate as support  # noqa: E402
from case import Case  # noqa: E402
from http_api import HttpEngine, add_key  # noqa: E402

# The SDK has the name that the tests' own helper has.
del sys.modules["casemate"]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "sdk" / "python" / "src"))
import casemate  # noqa: E402

# What the SDK has no call of its own for, and why.
NOT_IN_SDK = {
    "runOverWebSocket": "its streams come over POST /v1/run",
    "listRuns": "of the operator",
    "endRun": "a run is cancelled by letting go of it",
    "batch": "run_batch sends its programs one by one, so that each item can be taken as it is needed",
    "refuseHibernate": "it is refused",
    "check": "checks= of a run says the same",
    "redact": "results are redacted",
    "healthz": "of the operator",
    "readyz": "of the operator",
    "metrics": "of the operator",
    "openapi": "of tools",
}


class Calls(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # An environment that was built stays: not in the folder that must be as it was.
        cls.env = {**cls.env, "CASEMATE_STATE_DIR": str(cls.folder / "kept")}
        cls.key = add_key(cls.env, "all", "--scopes", "admin")
        cls.engine = HttpEngine(cls.folder / "engine.sock", cls.env, "--pool-size", "2")
        cls.url = f"http://127.0.0.1:{cls.engine.port}"
        cls.described = {operation["operationId"]: (method.upper(), path)
                         for path, methods in json.loads(cls.engine.ask_tcp("GET", "/openapi.json")[2])["paths"].items()
                         for method, operation in methods.items() if "operationId" in operation}

    @classmethod
    def tearDownClass(cls):
        cls.engine.end()
        super().tearDownClass()

    def curl(self, operation, *words, status=200, query="", **params):
        """Asks for the operation as it is described; its answer's text."""
        method, path = self.described[operation]
        self.called.add(operation)
        done = subprocess.run(
            ["curl", "-sS", "-m", "60", "-w", "\n%{http_code}", "-X", method, "-H",
             f"Authorization: Bearer {self.key}", self.url + path.format(**params) + query, *words],
            capture_output=True, text=True, timeout=120 * support.SLOW, check=False)
        body, _, seen = done.stdout.rpartition("\n")
        self.assertEqual(seen, str(status), (operation, done.stdout, done.stderr))
        return body

    def requirements(self, name):
        """An environment without a package, which needs no index: each caller's own, by its name."""
        path = self.place / f"{name}.txt"
        path.write_text(f"# of {name}\n")
        return f"requirements:{path}"

    def test_curl(self):
        self.called = set()

        def answer(*words, **named):
            return json.loads(self.curl(*words, **named))

        self.assertEqual(answer("run", "-d", '{"code": "result = 6 * 7"}')["result"], 42)
        self.assertIn("event: finished", self.curl("run", "-H", "Accept: text/event-stream", "-d", '{"code": "1"}'))
        self.assertIn("Sec-WebSocket-Accept", self.curl(
            "runOverWebSocket", "-i", "-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H",
            "Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "-m", "2", status=101))
        self.assertEqual(answer("listRuns"), {"runs": []})
        self.curl("endRun", id="run-none", status=404)
        lines = self.curl("batch", "-H", "Content-Type: application/x-ndjson", "-d", '{"code": "result = 1"}')
        self.assertIn('"result":1', lines)
        session = answer("openSession", "-d", '{"name": "one"}', status=201)["id"]
        self.assertEqual([one["id"] for one in answer("listSessions")["sessions"]], [session])
        self.assertEqual(answer("showSession", id=session)["name"], "one")
        self.assertEqual(answer("runStep", "-d", '{"code": "x = 20\\nx + 1"}', id=session)["result"], 21)
        self.assertEqual(answer("runStep", "-d", '{"code": "\'x\' in globals()", "context": "other"}',
                                id=session)["result"], False)
        self.curl("interruptSession", id=session, status=202)
        copy = answer("forkSession", "-d", "{}", id=session, status=201)["sessions"][0]["id"]
        self.assertEqual(answer("runStep", "-d", '{"code": "x"}', id=copy)["result"], 20)
        point = answer("makeCheckpoint", "-d", "{}", id=session, status=201)["id"]
        self.assertEqual([one["id"] for one in answer("listCheckpoints", id=session)["checkpoints"]], [point])
        self.curl("rewindSession", "-d", json.dumps({"checkpoint": point}), id=session)
        self.curl("dropCheckpoint", id=session, checkpoint=point, status=204)
        self.curl("refuseHibernate", id=session, status=501)
        self.curl("putFile", "--data-binary", "content", id=session, path="a/b.txt", status=204)
        self.assertEqual(self.curl("getFile", id=session, path="a/b.txt"), "content")
        self.assertEqual(answer("getFile", id=session, path="a/b.txt", query="?stat")["size_bytes"], 7)
        self.assertIn("a", [one["name"] for one in answer("listWorkspace", id=session, query="?list")["entries"]])
        self.curl("moveFile", id=session, path="a/b.txt", query="?move_to=c.txt", status=204)
        self.curl("removeFile", id=session, path="c.txt", status=204)
        self.curl("closeSession", id=session, status=204)
        self.curl("closeSession", id=copy, status=204)
        self.assertIn("environments", answer("listEnvironments"))
        self.curl("showEnvironment", id="0123456789", status=404)
        self.curl("buildEnvironment", "-d", '{"name": "host"}', status=400)
        built = answer("buildEnvironment", "-d", json.dumps({"name": self.requirements("curl")}), status=201)
        self.assertEqual(answer("showEnvironment", id=built["id"])["id"], built["id"])
        self.assertIn(built["id"], [one["id"] for one in answer("listEnvironments")["environments"]])
        self.assertFalse(answer("check", "-d", '{"code": "1"}')["refused"])
        self.assertIn("text", answer("redact", "-d", '{"text": "nothing"}'))
        self.assertGreater(len(answer("audit")["runs"]), 0)
        self.assertEqual(answer("health")["status"], "ok")
        self.assertEqual(answer("healthz")["status"], "ok")
        self.assertEqual(answer("readyz")["status"], "ready")
        self.assertIn("casemate_", self.curl("metrics"))
        self.assertEqual(answer("openapi")["openapi"][:3], "3.1")
        self.assertEqual(self.called, set(self.described), "described and not called, or the other way round")

    def test_curl_watches(self):
        self.called = set()
        session = json.loads(self.curl("openSession", "-d", "{}", status=201))["id"]
        watch = subprocess.Popen(
            ["curl", "-sSN", "-m", "60", "-H", f"Authorization: Bearer {self.key}",
             f"{self.url}/v1/sessions/{session}/files?watch"], stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(watch.stdout.readline(), "event: watching\n")
            self.curl("putFile", "--data-binary", "1", id=session, path="new", status=204)
            self.assertEqual(self.next_change(watch), ("created", "new", 1))
            self.curl("runStep", "-d", json.dumps({"code": "open('new', 'w').write('22')"}), id=session)
            self.assertEqual(self.next_change(watch), ("changed", "new", 2))
            self.curl("removeFile", id=session, path="new", status=204)
            self.assertEqual(self.next_change(watch), ("removed", "new", 2))
            self.curl("closeSession", id=session, status=204)
            rest = watch.communicate(timeout=30 * support.SLOW)[0]
            self.assertIn("event: end\n", rest)
        finally:
            watch.kill()
            watch.wait()
            watch.stdout.close()

    @staticmethod
    def next_change(watch):
        while watch.stdout.readline() != "event: change\n":
            pass
        data = json.loads(watch.stdout.readline().removeprefix("data: "))
        return data["change"], data["entry"]["name"], data["entry"]["size_bytes"]

    def sdk(self, call):
        """Runs a coroutine with a recording client; the operations that it asked for."""
        asked = set()
        methods = {(method, path.partition("{")[0], path): name for name, (method, path) in self.described.items()}

        def note(method, target):
            plain = target.partition("?")[0]
            best = [name for (verb, start, path), name in methods.items()
                    if verb == method and (plain == path or ("{" in path and self.fits(path, plain)))]
            asked.update(best[:1])

        sandbox = casemate.AsyncSandbox(url=self.url, api_key=self.key, timeout=20)
        client = sandbox._client
        exchange, lines = client.exchange, client.lines
        client.exchange = lambda method, path, *rest, **named: (note(method, path), exchange(
            method, path, *rest, **named))[1]
        client.lines = lambda method, path, *rest: (note(method, path), lines(method, path, *rest))[1]

        async def whole():
            async with sandbox:
                await call(sandbox)
        asyncio.run(whole())
        return asked

    @staticmethod
    def fits(pattern, path):
        parts, words = pattern.split("/"), path.split("/")
        if parts[-1] == "{path}":
            words = [*words[:len(parts) - 1], "/".join(words[len(parts) - 1:])]
        return len(parts) == len(words) and all(part.startswith("{") or part == word
                                                for part, word in zip(parts, words))

    def test_sdk(self):
        async def all_calls(sandbox):
            self.assertEqual((await sandbox.run("result = 1")).result, 1)
            session = await sandbox.session(name="sdk")
            self.assertIn(session.id, [info.id for info in await sandbox.sessions()])
            self.assertEqual((await session.info()).name, "sdk")
            self.assertEqual((await session.run("x = 1\nx")).result, 1)
            self.assertEqual((await session.run("'x' in globals()", context="other")).result, False)
            await session.interrupt()
            copy = await session.fork()
            self.assertEqual((await copy.run("x")).result, 1)
            point = await session.checkpoint()
            self.assertEqual([one.id for one in await session.checkpoints()], [point.id])
            await session.rewind(point)
            await session.drop_checkpoint(point)
            watch = session.files.watch()
            first = asyncio.ensure_future(watch.__anext__())
            await asyncio.sleep(1)
            await session.files.put("a/b.txt", "text")
            change = await asyncio.wait_for(first, 30 * support.SLOW)
            self.assertEqual((change.change, change.entry.name, change.entry.kind), ("created", "a", "folder"))
            await watch.aclose()
            self.assertEqual(await session.files.get("a/b.txt"), b"text")
            self.assertEqual([entry.name for entry in await session.files.list()], ["a"])
            await session.files.move("a/b.txt", "c")
            await session.files.remove("c")
            await copy.close()
            await session.close()
            with self.assertRaises(casemate.NotFound):
                await sandbox.environment("0123456789")
            with self.assertRaises(casemate.RequestRefused):
                await sandbox.build_environment("host")
            built = await sandbox.build_environment(self.requirements("sdk"))
            self.assertEqual((await sandbox.environment(built.id)).id, built.id)
            self.assertIn(built.id, [one.id for one in await sandbox.environments()])
            self.assertGreater(len(await sandbox.get_audit_log()), 0)
            self.assertEqual((await sandbox.health())["status"], "ok")

        asked = self.sdk(all_calls)
        self.assertEqual(asked | {"listWorkspace"}, set(self.described) - set(NOT_IN_SDK),
                         "described and not called, or the other way round")


if __name__ == "__main__":
    support.die_with_tests()
    unittest.main(verbosity=2)
