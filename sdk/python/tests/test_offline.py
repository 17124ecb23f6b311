#!/usr/bin/env python3
"""What needs no engine: units, addresses, HTTP as bytes, notebooks, which functions can be sent."""

import asyncio
import copy
import dataclasses
import functools
import inspect
import json
import math
import pickle
import re
import unittest

from sdk_case import Case

import casemate
from casemate import _endpoint, _http, _units, notebook, sandboxed

OUTSIDE = 7


class Units(unittest.TestCase):
    def test_sizes(self):
        for text, size in {"1": 1, "1k": 1024, "128m": 128 << 20, "1.5g": 3 << 29, "2MiB": 2 << 20}.items():
            self.assertEqual(_units.size_bytes(text), size)
        for wrong in ("", "m", "1x", "-1", "1 m", "1e3", None, True, 1.5):
            self.assertRaises(ValueError, _units.size_bytes, wrong)

    def test_durations(self):
        for value, ms in {10: 10_000, 0.5: 500, "10": 10_000, "10s": 10_000, "1m30s": 90_000, "500ms": 500,
                          "1.5h": 5_400_000}.items():
            self.assertEqual(_units.milliseconds(value), ms)
        for wrong in ("", "s", "1x", "-1", "1 s", "1s2", None, True):
            self.assertRaises(ValueError, _units.milliseconds, wrong)


class Addresses(unittest.TestCase):
    def test_kinds(self):
        self.assertEqual(_endpoint.parse_url("unix:/a/b.sock").unix_path, "/a/b.sock")
        plain = _endpoint.parse_url("http://127.0.0.1:8080/prefix/", "key")
        self.assertEqual((plain.host, plain.port, plain.prefix, plain.tls), ("127.0.0.1", 8080, "/prefix", None))
        self.assertIn(b"Authorization: Bearer key\r\n", plain.fixed)
        self.assertNotIn("key", repr(plain))
        self.assertEqual(_endpoint.parse_url("https://host").port, 443)

    def test_what_is_none(self):
        for wrong in ("", "host:80", "ftp://host", "unix:relative", "http://", "http://user:pw@host", "http://h?x=1"):
            self.assertRaises(ValueError, _endpoint.parse_url, wrong)
        self.assertRaises(ValueError, _endpoint.parse_url, "http://localhost", "key\r\nX: y")

    def test_key_in_the_clear(self):
        with self.assertRaises(ValueError) as raised:
            _endpoint.parse_url("http://192.0.2.1", "secret-key")
        self.assertNotIn("secret-key", str(raised.exception))
        self.assertIsNotNone(_endpoint.parse_url("http://192.0.2.1", "key", allow_plaintext_key=True))


class Http(unittest.TestCase):
    ANSWERS = {
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello": (200, b"hello", False),
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nConnection: close\r\n\r\n": (200, b"", True),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n": (204, b"", False),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na;x=1\r\n0123456789\r\n0\r\n\r\n":
            (200, b"abc0123456789", False),
    }

    def test_whole_and_byte_by_byte(self):
        for answer, (status, body, closes) in self.ANSWERS.items():
            for step in (1, 2, 3, 7, len(answer)):
                reader, got = _http.ResponseReader(), b""
                for at in range(0, len(answer), step):
                    self.assertFalse(reader.done)
                    reader.feed(answer[at:at + step])
                    got += reader.take()
                self.assertTrue(reader.done)
                self.assertEqual((reader.status, got, reader.closes), (status, body, closes))

    def test_body_that_ends_with_the_connection(self):
        reader = _http.ResponseReader()
        reader.feed(b"HTTP/1.0 200 OK\r\n\r\nsome")
        self.assertFalse(reader.done)
        reader.feed(b"")
        self.assertEqual((reader.done, reader.take(), reader.closes), (True, b"some", True))

    def test_what_is_no_answer(self):
        head = b"HTTP/1.1 200 OK\r\n"
        for wrong in (b"SSH-2.0\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 70000, head + b"Content-Length: -1\r\n\r\n",
                      head + b"Content-Length: 1\r\n\r\nab", head + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
                      head + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 70000):
            with self.assertRaises(casemate.ConnectionLost):
                _http.ResponseReader().feed(wrong)
        for cut in (b"", head, head + b"Content-Length: 3\r\n\r\nab"):
            reader = _http.ResponseReader()
            if cut:
                reader.feed(cut)
            self.assertRaises(casemate.ConnectionLost, reader.feed, b"")

    def test_lines(self):
        splitter = _http.LineSplitter()
        self.assertEqual(splitter.split(b"a\nb"), [b"a"])
        self.assertEqual(splitter.split(b"c\n\nd\n"), [b"bc", b"d"])


class Notebook(unittest.TestCase):
    def test_markup_of_a_program_gets_no_scripts_origin_or_network(self):
        attack = "<script>alert(1)</script><img src=http://evil onerror=alert(1)>\"'"
        for mime in ("text/html", "image/svg+xml", "text/plain", "text/markdown", "text/javascript", "image/png"):
            page = notebook.display_bundle({mime: attack})["text/html"]
            # Nothing of it is markup of the notebook's own page.
            self.assertNotIn("<script", page)
            self.assertNotIn("onerror=alert(1)>", page)
            self.assertLessEqual(set(re.findall(r"<\s*(\w+)", page)), {"iframe", "img", "pre"})
        frame = notebook.display_bundle({"text/html": attack})["text/html"]
        self.assertIn('sandbox=""', frame)
        self.assertIn("default-src &#x27;none&#x27;", frame)

    def test_pictures(self):
        display = casemate.Display({"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"})
        self.assertEqual(display.png, b"\x89PNG\r\n\x1a\n")
        self.assertIn("data:image/png;base64,iVBORw0KGgo=", display._repr_mimebundle_()["text/html"])
        self.assertEqual(display._repr_mimebundle_()["text/plain"], "<Figure>")
        self.assertEqual(set(display._repr_mimebundle_()), {"text/plain", "text/html"})

    def test_result(self):
        result = casemate.Result(id="r", status="error", stdout="<b>", error=casemate.ProgramError("E", "<i>"))
        bundle = result._repr_mimebundle_()
        self.assertIn("&lt;b&gt;", bundle["text/html"])
        self.assertNotIn("<i>", bundle["text/html"])
        self.assertIn("error: E: <i>", bundle["text/plain"])


class Functions(unittest.TestCase):
    def refused(self, function, word):
        with self.assertRaises(casemate.NotSandboxable) as raised:
            sandboxed()(function)
        self.assertIn(word, str(raised.exception))

    def test_what_cannot_be_sent(self):
        local = 1

        def closure():
            return local

        def of_the_module():
            return OUTSIDE

        def of_the_module_deeper():
            return [math.pi for _ in range(2)]

        def generator():
            yield 1

        def computed(value=OUTSIDE + 1):
            return value

        self.refused(closure, "local")
        self.refused(of_the_module, "OUTSIDE")
        self.refused(of_the_module_deeper, "import math inside of_the_module_deeper")
        self.refused(generator, "generator")
        self.refused(computed, "OUTSIDE + 1")
        self.refused(lambda: 1, "def")
        self.refused(print, "def")
        self.refused(functools.partial(closure), "def")
        namespace = {}
        exec("def made(): return 1", namespace)
        self.refused(namespace["made"], "source")

    def test_arguments_that_are_no_json(self):
        @sandboxed()
        def echo(value):
            return value

        endless = []
        endless.append(endless)
        for wrong in (object(), {1: 2}, {1, 2}, b"x", float("nan"), [{"a": print}], endless):
            self.assertRaises(casemate.NotSandboxable, echo, wrong)
        self.assertRaises(TypeError, echo)
        self.assertRaises(TypeError, echo, 1, 2)


class FunctionsInASandbox(Case):
    def test_run_there(self):
        @sandboxed(self.sandbox, memory="128m")
        def where(first, *rest, scale: casemate.Sandbox = 2, **more) -> OUTSIDE:
            """Text with
            two lines."""
            import os

            class Holder:
                value = first

            def inner(n):
                return n * scale if n < 3 else inner(n - 1)

            return {"files": os.listdir("/workspace"), "sum": inner(Holder.value), "rest": rest, "more": more}

        self.assertEqual(where.__name__, "where")
        self.assertEqual(where(2), {"files": [], "sum": 4, "rest": [], "more": {}})
        self.assertEqual(where(1, "a", None, scale=10, key={"n": [1.5]}),
                         {"files": [], "sum": 10, "rest": ["a", None], "more": {"key": {"n": [1.5]}}})

    def test_failures_raise_with_the_functions_own_lines(self):
        @sandboxed(self.sandbox)
        def fails(n):
            return 1 / n

        with self.assertRaises(casemate.RunError) as raised:
            fails(0)
        trace = raised.exception.result.error.traceback
        with open(__file__, encoding="utf-8") as file:
            line = next(n for n, text in enumerate(file, 1) if text.strip() == "return 1 / n")
        self.assertIn(f'test_offline.py", line {line}, in fails', trace)
        self.assertRaises(casemate.RunError, sandboxed(self.sandbox, timeout=0.2)(_sleeps))

    def test_recursion_and_coroutines(self):
        @sandboxed(self.sandbox)
        def factorial(n):
            return 1 if n < 2 else n * factorial(n - 1)

        self.assertEqual(factorial(20), math.factorial(20))

        @sandboxed(timeout=20)
        async def later(n):
            import asyncio as aio
            await aio.sleep(0)
            return n + 1

        self.assertTrue(inspect.iscoroutinefunction(later))
        self.assertEqual(asyncio.run(later(1)), 2)


def _sleeps():
    import time
    time.sleep(60)


class Answers(unittest.TestCase):
    def test_refusals(self):
        from casemate._answers import raise_refusal, read_result

        problem = json.dumps({"type": "about:blank", "title": "Too many", "detail": "wait a little"}).encode()
        with self.assertRaises(casemate.TooBusy) as raised:
            raise_refusal(429, {"retry-after": "2"}, problem)
        self.assertEqual((raised.exception.retry_after, str(raised.exception)), (2.0, "wait a little"))
        for status, kind in ((401, casemate.Unauthorized), (403, casemate.Unauthorized), (404, casemate.NotFound),
                             (500, casemate.RequestRefused)):
            with self.assertRaises(kind):
                raise_refusal(status, {}, b"<html>")
        for wrong in (b"", b"[]", b"{}", b"{\"id\": 1}"):
            self.assertRaises(casemate.ConnectionLost, read_result, wrong)

    def test_fields_of_a_newer_engine_are_passed_over(self):
        result = casemate.Result.from_json({"id": "x", "status": "ok", "novel": 1, "usage": {"wall_ms": 3, "novel": 2}})
        self.assertEqual((result.usage.wall_ms, result.raw["novel"]), (3, 1))

    def test_what_is_nested_is_made_when_asked_for(self):
        data = {"id": "x", "status": "ok", "timings": [{"step": "run", "microseconds": 2}],
                "isolation": {"tier": "container", "enforced": [{"guarantee": "memory", "mechanism": "cgroup"}]}}
        result = casemate.Result.from_json(data)
        self.assertIs(result.isolation, result.isolation)
        self.assertEqual(result.isolation.enforced, [casemate.Enforced("memory", "cgroup")])
        made = casemate.Result("x", "ok", timings=[casemate.Timing("run", 2)], isolation=result.isolation)
        for other in (casemate.Result.from_json(data), copy.deepcopy(casemate.Result.from_json(data)),
                      pickle.loads(pickle.dumps(casemate.Result.from_json(data))),
                      dataclasses.replace(casemate.Result.from_json(data))):
            self.assertEqual(other, made)
            self.assertEqual(repr(other), repr(made))
            self.assertEqual(other.to_json(), made.to_json())
        self.assertEqual((result.denials, result.usage, result.error), ([], casemate.Usage(), None))
        self.assertRaises(AttributeError, getattr, result, "isolatoin")

    def test_base64_that_is_none(self):
        self.assertEqual(casemate.OutputFile("f", content_base64="!").content, b"")


if __name__ == "__main__":
    unittest.main()
