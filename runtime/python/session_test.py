#!/usr/bin/env python3
"""The steps of a session, without a sandbox around them: a forked child serves, this process asks."""

import json
import os
import pathlib
import signal
import sys
import time
import types
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = "0123456789abcdef"
LIMITS = {"result_bytes_max": 1000, "result_depth_max": 20, "displays_bytes_max": 10000}


def load(name):
    module = types.ModuleType(f"casemate.{name}")
    path = HERE / f"{name}.py"
    exec(compile(path.read_text(), str(path), "exec", 0, True), module.__dict__)
    return module


def frame(kind, payload=b""):
    return kind + len(payload).to_bytes(4, "little") + payload


class SessionTest(unittest.TestCase):
    def setUp(self):
        request, self.request = os.pipe()
        self.result, result = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            try:
                os.close(self.request)
                os.close(self.result)
                null = os.open("/dev/null", os.O_RDWR)
                os.dup2(null, 1)
                os.dup2(null, 2)
                harness = load("harness")
                part = harness._part_loader(str(HERE), ".py")
                options = {"argv": ["main.py"], "sys_path": list(sys.path), "filename": "/code/main.py", **LIMITS}
                send = harness._open_channel(result, True)
                part("session").serve(harness, part, json.loads, send, request, TOKEN, options, {},
                                      harness._Stage(part, send), lambda count: -1, lambda: None)
            finally:
                os._exit(77)
        os.close(request)
        os.close(result)
        self.number = self.sent = 0
        self.assertEqual(self.answer(), {"S": b"", "Z": b"", "code": 0})

    def tearDown(self):
        os.close(self.request)
        os.close(self.result)
        os.waitpid(self.child, 0)

    def answer(self):
        frames, data = {}, b""
        while True:
            data += os.read(self.result, 65536)
            while len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[1:5], "little"):
                end = 5 + int.from_bytes(data[1:5], "little")
                kind, payload, data = data[:1].decode(), data[5:end], data[end:]
                if kind == "Q":
                    self.assertEqual(payload[1:].decode(), TOKEN)
                    frames.pop("T", None)
                    return {**frames, "code": payload[0]}
                frames[kind] = payload
            if not data and not frames:
                self.assertTrue(os.waitpid(self.child, os.WNOHANG)[0] == 0, "it has ended")

    def ask(self, code, **options):
        self.number += 1
        told = json.dumps({"step": self.number, "interrupts": self.sent, **LIMITS, **options}).encode()
        os.write(self.request, frame(b"o", told) + frame(b"c", code.encode()) + frame(b"g"))

    def step(self, code, **options):
        self.ask(code, **options)
        return self.answer()

    def value(self, code, **options):
        return json.loads(self.step(code, **options)["R"])

    def test_state_stays(self):
        self.assertNotIn("R", self.step("import math\nx = 1\ndef f(): return x + math.floor(2.5)"))
        self.assertNotIn("R", self.step("x += 1"))
        self.assertEqual(self.value("f()"), 4)

    def test_the_last_expression_is_the_result_unless_one_is_set(self):
        self.assertEqual(self.value("result = 5\n6"), 5)
        self.assertEqual(self.value("result = 5\n6"), 5)  # the same object again
        self.assertEqual(self.value("result + 1"), 6)
        self.assertEqual(self.value("(1,\n 2)"), [1, 2])
        self.assertEqual(self.value("7 == 7"), True)
        self.assertNotIn("R", self.step("print('x')"))
        self.assertNotIn("R", self.step("None"))

    def test_what_only_looks_like_an_assignment_has_its_value(self):
        self.step("x = 1")
        for code, value in (("x == 1", True), ("x <= 0", False), ("x != 1", False), ("x >= 1", True),
                            ("x = 3; x", 3), ("x = 4\nx", 4), ("x = 5\rx", 5), ("(y :=\n 6)", 6),
                            ("dict(x=7)", {"x": 7}), ("{'a=b': x}", {"a=b": 5})):
            self.assertEqual(self.value(code), value, code)
        for code in ("x = 1", "x += 1 ", "x //= 2\r\n", "x = x == 1", "größe = 2", "x = [\n1]", "x: int = 3"):
            self.assertEqual(self.step(code), {"S": b"", "Z": b"", "code": 0}, code)
        for code in ("x = ", "x + = 1", "None = 1", "x = 'a"):
            self.assertEqual(self.step(code)["code"], 1, code)

    def test_an_assignment_of_what_was_there_is_a_result_only_by_its_name(self):
        self.assertEqual(self.value("result = 5"), 5)
        for code in ("x = 1", "x = 'result'", "x = result"):
            self.assertNotIn("R", self.step(code), code)
        for code in ("result = 5", "result = x", "x = (result := 5)", "\uff52esult = 5"):
            self.assertEqual(self.value(code), 5, code)

    def test_what_is_no_json_is_shown(self):
        answer = self.step("{1, 2}")
        self.assertIn(b"{1, 2}", answer["D"])
        self.assertNotIn("X", answer)
        self.assertIn("X", self.step("result = {1, 2}"))

    def test_displays_have_their_limit_in_each_step(self):
        for _ in range(3):
            self.assertIn(b"x" * 6000, self.step("display('x' * 6000)")["D"])

    def test_errors_quote_former_steps(self):
        self.step("def f():\n    return 1 / 0  # here")
        answer = self.step("f()")
        error = json.loads(answer["E"])
        self.assertEqual((error["type"], answer["code"]), ("ZeroDivisionError", 1))
        self.assertIn("# here", error["traceback"])
        self.assertIn('File "<step 2>", line 1', error["traceback"])
        self.assertNotIn("session.py", error["traceback"])
        self.assertEqual(json.loads(self.step("x =")["E"])["type"], "SyntaxError")
        self.assertEqual(self.value("1"), 1)

    def test_future_statements_stay(self):
        self.step("from __future__ import annotations")
        self.assertEqual(self.value("def g(a: not_there): pass\ng.__annotations__"), {"a": "not_there"})

    def test_exit_ends_the_step_alone(self):
        self.assertEqual(self.step("x = 1\nimport sys\nsys.exit(3)")["code"], 3)
        self.assertEqual(self.step("exit()")["code"], 0)
        self.assertEqual(self.value("x"), 1)

    def interrupt(self):
        os.kill(self.child, signal.SIGINT)
        self.sent += 1

    def test_an_interrupt_reaches_the_step_that_runs_and_no_other(self):
        self.step("x = 1")
        self.interrupt()
        self.assertEqual(self.value("x"), 1)
        self.ask("import time\nwhile True: time.sleep(60)")
        time.sleep(0.3)
        self.interrupt()
        answer = self.answer()
        self.assertEqual((json.loads(answer["E"])["type"], answer["code"]), ("KeyboardInterrupt", 130))
        self.assertNotIn("session.py", json.loads(answer["E"])["traceback"])
        self.assertEqual(self.value("x"), 1)

    def test_an_interrupt_that_overtakes_its_step_is_not_lost(self):
        self.step("x = 1")
        self.interrupt()
        time.sleep(0.3)
        answer = self.step("x = 2", interrupts=0)
        self.assertEqual(json.loads(answer["E"])["type"], "KeyboardInterrupt")
        self.assertEqual(self.value("x"), 1)

    def test_a_handler_of_the_step_is_gone_with_it(self):
        self.step("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)")
        self.ask("while True: pass")
        time.sleep(0.3)
        self.interrupt()
        self.assertEqual(json.loads(self.answer()["E"])["type"], "KeyboardInterrupt")

    def test_a_child_that_comes_back_from_a_step_says_nothing(self):
        self.assertEqual(self.value("import os\nif os.fork(): os.wait()\n1"), 1)
        self.assertEqual(self.value("2"), 2)


if __name__ == "__main__":
    unittest.main()
