#!/usr/bin/env python3
"""Runs through the embedded engine, waiting and with asyncio: results, streams, batches, errors, cancellation."""

import asyncio
import dataclasses
import datetime
import json
import os
import pathlib
import threading
import time
import unittest
import warnings

from sdk_case import Case

import casemate
from casemate import results

EVERYTHING = """
import os, sys
print('out'); print('err', file=sys.stderr)
print('key sk-ant-api03-' + 'aB3' * 31 + 'AA')
class Table:
    def _repr_html_(self): return '<b>1</b>'
    def __repr__(self): return '1'
display(Table())
open('left.bin', 'wb').write(bytes(range(256)))
try:
    __import__('socket').create_connection(('192.0.2.1', 9), 1)
except OSError:
    pass
result = {'input': INPUT_DATA, 'args': sys.argv[1:], 'env': os.environ['WORD'], 'stdin': sys.stdin.read(),
          'file': open('given.txt').read()}
raise ValueError('at last')
"""


def fields(value, path=""):
    """path -> set of keys, for all objects in a JSON value."""
    found = {}
    if isinstance(value, dict):
        found[path] = set(value)
        for key, item in value.items():
            found.update(fields(item, f"{path}.{key}"))
    elif isinstance(value, list):
        for item in value:
            found.update(fields(item, path + "[]"))
    return found


class Results(Case):
    def everything(self):
        return self.sandbox.run(EVERYTHING, input={"n": 1}, args=["a", "--b"], env={"WORD": "w"}, stdin=b"in",
                                files={"given.txt": "text"}, collect=["*.bin"])

    def test_mirror_the_object_of_the_contract(self):
        samples = [self.everything(), self.sandbox.run("result = 1", memory="1k"), self.sandbox.run(command=["true"]),
                   self.sandbox.run("import socket", checks="checked"), self.sandbox.run("pass", require="microvm"),
                   self.sandbox.run("result = 1", isolation="process", require="process")]
        seen = {}
        for result in samples:
            self.assertEqual(result.to_json(), result.raw)
            self.assertEqual(casemate.Result.from_json(json.loads(json.dumps(result.raw))), result)
            for path, keys in fields(result.raw).items():
                seen.setdefault(path, set()).update(keys)
        # What was seen is all that there is: nothing is known to the classes alone, and no part was never seen.
        expected = {
            "": results.Result, ".truncated": results.Truncated, ".files[]": results.OutputFile,
            ".error": results.ProgramError, ".denials[]": results.Denial, ".redactions[]": results.Redaction,
            ".findings[]": results.Finding, ".usage": results.Usage, ".timings[]": results.Timing,
            ".isolation": results.Isolation, ".isolation.enforced[]": results.Enforced,
            ".isolation.not_enforced[]": results.NotEnforced,
        }
        for path, cls in expected.items():
            names = {entry.name for entry in dataclasses.fields(cls)} - {"raw", "session"}
            self.assertEqual(seen.get(path), names, path)

    def test_hold_what_the_program_did(self):
        result = self.everything()
        self.assertEqual(result.status, "error", result.summary())
        self.assertEqual(result.stdout.splitlines()[0], "out")
        self.assertEqual(result.error.type, "ValueError")
        self.assertIn("ValueError: at last", result.stderr)
        self.assertNotIn("sk-ant-api03", json.dumps(result.raw))
        self.assertEqual(result.redactions[0].where, "stdout")
        self.assertEqual(result.displays[0].html, "<b>1</b>")
        self.assertEqual(result.files[0].content, bytes(range(256)))
        self.assertEqual(result.denials[0].kind, "network")
        self.assertFalse(result.ok)
        self.assertTrue(result.summary().startswith("error: ValueError: at last"), result.summary())

    def test_value(self):
        result = self.sandbox.run("import sys\nresult = [INPUT_DATA, sys.argv[1:], sys.stdin.read(), open('f').read()]",
                                  input={"big": 10**30, "text": "caf\u00e9"}, args=["x"], stdin="in", files={"f": b"1"})
        self.assertEqual(result.raise_for_status().result, [{"big": 10**30, "text": "caf\u00e9"}, ["x"], "in", "1"])

    def test_file_from_disk_and_workspace(self):
        (self.folder / "work").mkdir(exist_ok=True)
        os.chmod(self.folder / "work", 0o755)
        (self.folder / "work" / "note.txt").write_text("note")
        given = self.sandbox.run("result = open('n').read()", files={"n": self.folder / "work" / "note.txt"})
        self.assertEqual(given.result, "note")
        shown = self.sandbox.run("import os; result = os.listdir('/workspace')", workspace=self.folder / "work")
        self.assertEqual(shown.result, ["note.txt"])

    def test_every_status_is_data(self):
        cases = {
            "ok": {"code": "result = 1"},
            "error": {"code": "import sys; sys.exit(3)"},
            "timeout": {"code": "import time; time.sleep(60)", "timeout": 0.3},
            "cpu_limit": {"code": "while True: pass", "cpu_time": "200ms"},
            "memory_limit": {"code": "held = []\nwhile True: held.append(b'x' * 1000000)", "memory": "64m"},
            "disk_limit": {"code": "open('/tmp/x', 'wb').write(b'x' * 20000000)", "tmp_size": "8m"},
            "output_limit": {"code": "while True: print('x' * 99)", "limits": {"stdout_bytes_max": 1000}},
            "result_invalid": {"code": "result = 1", "result_schema": {"type": "string"}},
            "rejected": {"code": "import socket", "checks": "checked"},
            "unavailable": {"code": "pass", "require": "microvm"},
        }
        answers = zip(cases, self.sandbox.run_batch(cases.values(), jobs=2))
        for status, result in answers:
            self.assertEqual(result.status, status, result.summary())
            if status == "ok":
                self.assertIs(result.raise_for_status(), result)
            else:
                with self.assertRaises(casemate.RunError) as raised:
                    result.raise_for_status()
                self.assertEqual(raised.exception.status, status)
                self.assertIs(raised.exception.result, result)

    def test_failure_of_casemate_raises(self):
        failed = casemate.Result(id="x", status="failed")
        with self.assertRaises(casemate.EngineFailed):
            failed.raise_for_status()

    def test_call_over_defaults(self):
        sandbox = casemate.Sandbox(engine=self.engine, env={"A": "1", "B": "1"}, timeout=0.3)
        code = "import os; result = [os.environ['A'], os.environ['B']]"
        self.assertEqual(sandbox.run(code, env={"B": "2"}, timeout=20).result, ["1", "2"])
        self.assertEqual(sandbox.run("import time; time.sleep(60)").status, "timeout")


class Streams(Case):
    CODE = ("import sys, time\nprint('one', flush=True)\ntime.sleep(0.2)\nprint('caf\\u00e9', flush=True)\n"
            "print('err', file=sys.stderr)\nresult = 1")

    def test_events_come_as_they_happen(self):
        kinds, begun = [], {}
        for event in self.sandbox.stream(self.CODE):
            kinds.append(type(event))
            if isinstance(event, casemate.Stdout):
                begun.setdefault(event.text.strip(), time.monotonic())
        self.assertEqual((kinds[0], kinds[-1]), (casemate.Started, casemate.Finished))
        self.assertIn(casemate.Valued, kinds)
        self.assertGreater(begun["caf\u00e9"] - begun["one"], 0.1)

    def test_callbacks(self):
        out, err, events, shown, denied = [], [], [], [], []
        result = self.sandbox.run(EVERYTHING, env={"WORD": "w"}, files={"given.txt": ""}, on_stdout=out.append,
                                  on_stderr=err.append, on_event=events.append, on_display=shown.append,
                                  on_denial=denied.append)
        self.assertEqual("".join(out), result.stdout)
        self.assertEqual("".join(err), result.stderr)
        self.assertEqual(shown, result.displays)
        self.assertEqual(denied, result.denials)
        self.assertIsInstance(events[-1], casemate.Finished)

    def test_characters_that_come_in_pieces(self):
        code = ("import os, time\nfor byte in 'caf\\u00e9\\U0001f600'.encode():\n    os.write(1, bytes([byte]))\n"
                "    time.sleep(0.02)\nos.write(1, b'\\xff')")
        texts = []
        result = self.sandbox.run(code, on_stdout=texts.append)
        self.assertEqual("".join(texts).rstrip("\ufffd"), "caf\u00e9\U0001f600")
        self.assertTrue(result.stdout.startswith("caf\u00e9\U0001f600"))

    def test_leaving_early_cancels_the_run(self):
        for event in self.sandbox.stream("import time; print('on', flush=True); time.sleep(60)", timeout=60):
            if isinstance(event, casemate.Stdout):
                break
        self.eventually(lambda: self.sandbox.health()["running"] == 0)

    def test_the_audit_log_tells_of_runs(self):
        done = self.sandbox.run("raise ValueError")
        (run,) = self.sandbox.get_audit_log(id=done.id)
        self.assertEqual((run.status, run.code_sha256, run.surface), ("error", done.code_sha256, "http"))
        self.assertLessEqual(run.started, run.ended)
        hour = datetime.timedelta(hours=1)
        self.assertIn(done.id, [r.id for r in self.sandbox.get_audit_log(since=hour, status="error", denial=None)])
        self.assertEqual(self.sandbox.get_audit_log(until=hour), [])
        with self.assertRaises(casemate.RequestRefused):
            self.sandbox.get_audit_log(limit=0)
        with self.assertRaises(ValueError):
            self.sandbox.get_audit_log(since=datetime.datetime(2026, 1, 1))

    def test_an_exception_of_a_callback_cancels_the_run(self):
        def stop(text):
            raise KeyError(text)

        with self.assertRaises(KeyError):
            self.sandbox.run("import time; print('on', flush=True); time.sleep(60)", timeout=60, on_stdout=stop)
        self.eventually(lambda: self.sandbox.health()["running"] == 0)


class Batches(Case):
    def test_order_and_errors(self):
        items = [f"result = {n}" if n % 5 else {"code": "raise ValueError(INPUT_DATA)", "input": n} for n in range(20)]
        found = list(self.sandbox.run_batch(items, jobs=3))
        self.assertEqual([result.result for result in found if result.ok], [n for n in range(20) if n % 5])
        self.assertEqual([result.error.message for result in found if not result.ok], ["0", "5", "10", "15"])

    def test_takes_items_as_they_are_needed(self):
        taken = []

        def endless():
            while True:
                taken.append(None)
                yield "result = 1"

        results_ = self.sandbox.run_batch(endless(), jobs=2)
        self.assertEqual([next(results_).result for _ in range(3)], [1, 1, 1])
        results_.close()
        self.assertLess(len(taken), 12)

    def test_threads_share_a_sandbox(self):
        found = {}

        def run(n):
            found[n] = self.sandbox.run("result = INPUT_DATA", input=n).result

        threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, {n: n for n in range(8)})


class Asynchronous(Case):
    def test_the_same_as_waiting(self):
        async def main():
            async with casemate.AsyncSandbox(engine=self.engine, timeout=20) as sandbox:
                result = await sandbox.run("print('x'); result = INPUT_DATA", input=[1])
                self.assertEqual((result.stdout, result.result), ("x\n", [1]))
                many = await asyncio.gather(*(sandbox.run(f"result = {n}") for n in range(6)))
                self.assertEqual([one.result for one in many], list(range(6)))
                self.assertEqual([one.result async for one in sandbox.run_batch(map("result = {}".format, range(9)))],
                                 list(range(9)))
                kinds = [type(event) async for event in sandbox.stream(Streams.CODE)]
                self.assertEqual((kinds[0], kinds[-1]), (casemate.Started, casemate.Finished))
                texts = []

                async def later(text):
                    await asyncio.sleep(0.5)  # all else comes in the meantime
                    texts.append(text)

                result = await sandbox.run(Streams.CODE, on_stdout=later)
                self.assertEqual("".join(texts), result.stdout)
                self.assertEqual((await sandbox.health())["status"], "ok")

        asyncio.run(main())

    def test_cancelling_a_task_cancels_its_run(self):
        async def main():
            async with casemate.AsyncSandbox(engine=self.engine) as sandbox:
                task = asyncio.ensure_future(sandbox.run("import time; time.sleep(60)", timeout=60))
                while (await sandbox.health())["running"] == 0:
                    await asyncio.sleep(0.01)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                while (await sandbox.health())["running"] != 0:
                    await asyncio.sleep(0.01)

        asyncio.run(asyncio.wait_for(main(), 30))

    def test_one_loop_after_the_other(self):
        # asyncio's transports cannot be closed after their loop.
        warnings.simplefilter("ignore", ResourceWarning)
        sandbox = casemate.AsyncSandbox(engine=self.engine)
        for n in range(2):
            self.assertEqual(asyncio.run(sandbox.run(f"result = {n}")).result, n)


class Refusals(Case):
    def test_what_is_no_request(self):
        for call in (lambda: self.sandbox.run(), lambda: self.sandbox.run("pass", command=["true"]),
                     lambda: self.sandbox.run(command="true"), lambda: self.sandbox.run("pass", args="x"),
                     lambda: self.sandbox.run("pass", memry="1m"), lambda: casemate.Sandbox(memry="1m"),
                     lambda: self.sandbox.run("pass", input={1, 2})):
            self.assertRaises(TypeError, call)
        for call in (lambda: self.sandbox.run("pass", memory="much"), lambda: self.sandbox.run("pass", timeout="soon"),
                     lambda: self.sandbox.run("pass", input=float("nan"))):
            self.assertRaises(ValueError, call)

    def test_what_the_engine_does_not_take(self):
        with self.assertRaises(casemate.RequestRefused) as raised:
            self.sandbox.run("pass", extra={"no_such_field": 1})
        self.assertEqual(raised.exception.status, 400)
        self.assertIn("no_such_field", str(raised.exception))
        self.assertFalse(raised.exception.may_have_run)
        # The connection is of use afterwards.
        self.assertEqual(self.sandbox.run("result = 1").result, 1)

    def test_limit_that_there_is_not(self):
        result = self.sandbox.run("result = 1", limits={"memory_byte": 1})
        self.assertEqual(result.status, "rejected")
        self.assertIn("memory_byte", result.error.message)

    def test_request_that_is_too_large_or_not_text(self):
        with self.assertRaises(UnicodeEncodeError):
            self.sandbox.run("result = '\ud800'")
        result = self.sandbox.run("result = len(open('f', 'rb').read())", files={"f": bytes(30_000_000)},
                                  memory="500m", tmp_size="200m", limits={"file_bytes_max": 100_000_000})
        self.assertEqual(result.result, 30_000_000, result.summary())


class Options(unittest.TestCase):
    def test_every_field_of_a_request_can_be_given(self):
        source = (pathlib.Path(__file__).resolve().parents[3] / "src" / "model" / "request_json.cc").read_text()
        known = {line.split('"')[1] for line in source.splitlines() if line.strip().startswith('FieldReader{"')}
        self.assertIn("code", known)
        given = set(casemate.RunOptions.__annotations__) | {"code", "command", "stdin_base64", "keep_streams"}
        self.assertEqual(known - given, set())


if __name__ == "__main__":
    unittest.main()
