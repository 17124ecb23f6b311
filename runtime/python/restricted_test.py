#!/usr/bin/env python3
"""Tests of restricted.py by itself: what ordinary programs can do, and what RestrictedPython's advisories were about.
usage: restricted_test.py FOLDER_OF_RESTRICTEDPYTHON"""

import io
import contextlib
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import restricted  # noqa: E402
import restricted_modules  # noqa: E402

POLICIES = {}
FOLDER = sys.argv.pop() if len(sys.argv) > 1 else "."


def run(source, packages=(), data=None):
    """The namespace of a program that was run to its end."""
    policy = POLICIES.setdefault(FOLDER, None) or restricted.Policy(FOLDER, restricted_modules.NAMES)
    POLICIES[FOLDER] = policy
    code, last = policy.compile(source.encode(), "main.py", list(packages))
    names = policy.namespace("__main__", "main.py", list(packages), None)
    names["INPUT_DATA"] = data
    exec(code, names)
    names["last"] = eval(last, names) if last is not None else None
    return names


def refused(source, packages=()):
    try:
        run(source, packages)
    except restricted.Refused as error:
        return error.findings
    return []


class OrdinaryPrograms(unittest.TestCase):
    def test_values(self):
        self.assertEqual(run("result = [x * 2 for x in INPUT_DATA if x]", data=[0, 1, 2])["result"], [2, 4])

    def test_modules(self):
        for module, names in restricted_modules.NAMES.items():
            for name in names.split():
                with self.subTest(f"{module}.{name}"):
                    text = f"from {module} import {name} as x\nimport {module} as m\nresult = m.{name} is not None"
                    if hasattr(__import__(module), name):
                        self.assertTrue(run(text)["result"])

    def test_classes_with_state(self):
        source = "class A:\n    def __init__(self, x):\n        self.x = x\na = A(1)\na.x = 2\nresult = a.x"
        self.assertEqual(run(source)["result"], 2)

    def test_unpacking_and_calls(self):
        source = "def f(*a, **k):\n    return a, k\n(a, (b, *c)) = 1, (2, 3)\nresult = f(*c, **{'k': b})"
        self.assertEqual(run(source)["result"], ((3,), {"k": 2}))

    def test_in_place(self):
        self.assertEqual(run("x = 1\nx += 2\nx *= 5\nx //= 2\nresult = x")["result"], 7)

    def test_print_goes_out_and_is_kept(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            names = run("print('a', 1, sep='-')\nresult = printed")
        self.assertEqual((out.getvalue(), names["result"]), ("a-1\n", "a-1\n"))

    def test_the_last_expression(self):
        self.assertEqual(run("x = 2\nx + 1")["last"], 3)

    def test_builtins_that_are_asked_for(self):
        self.assertRaises(ValueError, run, "range(100000)", ["RestrictedPython.limited_builtins"])
        self.assertTrue(run("result = same_type(1, 2)", ["RestrictedPython.utility_builtins"])["result"])
        self.assertRaises(NameError, run, "same_type(1, 2)")

    def test_modules_by_name(self):
        self.assertEqual(run("import string\nresult = string.digits", ["string"])["result"], "0123456789")
        self.assertEqual(run("import xml.sax.saxutils as s\nresult = s.escape('<')",
                             ["xml.sax.saxutils"])["result"], "&lt;")


class Refusals(unittest.TestCase):
    def test_a_finding_says_where_and_why(self):
        finding, = refused("x = 1\ny = x.__class__\n")
        self.assertEqual((finding["rule"], finding["line"], finding["column"], finding["snippet"]),
                         ("restricted", 2, 5, "y = x.__class__"))
        self.assertIn("__class__", finding["reason"])
        self.assertTrue(finding["remedy"])

    def test_modules_are_refused_before_anything_runs(self):
        for source in ("import os", "from sys import path", "import json, subprocess", "def f():\n    import os",
                       "from . import x", "import os.path", "from json import codecs, sys as s\nimport ctypes"):
            with self.subTest(source):
                self.assertIn("restricted-import", [finding["rule"] for finding in refused(source)])

    def test_syntax(self):
        for source in ("def f(:", "x = (", "\x00", "0777", "(" * 500 + ")" * 500):
            with self.subTest(source[:10]):
                self.assertEqual(refused(source)[0]["rule"], "syntax-error")

    def test_what_the_language_leaves_out(self):
        for source in ("exec('1')", "eval('1')", "async def f(): pass", "match 1:\n    case 1: pass",
                       "__import__('os')", "_x = 1", "x.__y", "def _f(): pass", "lambda _x: 1", "class _C: pass",
                       "from math import pi as _p",
                       "def __getattr__(self): pass", "x = '' if 1 else y.__z__", "try: pass\nexcept* E: pass"):
            with self.subTest(source):
                self.assertTrue(refused(source))


class Advisories(unittest.TestCase):
    """What each of RestrictedPython's published advisories let through."""

    def blocked(self, source, packages=()):
        """Refused, or an exception of a guard: never a value."""
        try:
            names = run(source, packages)
        except restricted.Refused:
            return
        except (AttributeError, NotImplementedError, TypeError, ImportError, NameError):
            return
        self.fail(f"got {names.get('result')!r}")

    def test_cve_2023_37271_frames_of_generators(self):
        self.blocked("g = (g.gi_frame.f_back.f_back for x in [1])\nresult = [x for x in g][0]")
        self.blocked("def f():\n    yield 1\nresult = f().gi_frame")
        self.blocked("result = getattr((x for x in [1]), 'gi_frame')")
        self.blocked("def f():\n    yield 1\nresult = f().gi_code.co_code")
        self.blocked("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    result = e.with_traceback(None).tb_frame")

    def test_cve_2023_41039_format(self):
        self.blocked("result = '{0.__class__}'.format(1)")
        self.blocked("result = str.format('{0.__class__}', 1)")
        self.blocked("result = '{x.__class__}'.format_map({'x': 1})")
        self.blocked("result = getattr(str, 'format')('{0.__class__}', 1)")
        self.blocked("class S(str):\n    pass\nresult = S('{0.__class__}').format(1)")
        self.blocked("result = list(map(str.format, ['{0.__class__}'], [1]))")
        self.blocked("import string\nresult = string.Formatter().format('{0.__class__}', 1)", ["string"])

    def test_cve_2024_47532_the_string_module(self):
        self.blocked("result = string.Formatter", ["RestrictedPython.utility_builtins"])
        self.blocked("import string\nresult = string.Formatter", ["string"])

    def test_cve_2025_22153_try_star(self):
        self.assertTrue(refused("try:\n    raise ValueError\nexcept* ValueError as e:\n    e.add_note"))

    def test_cve_2026_55830_positional_only_names(self):
        for name in ("_getattr_", "_getitem_", "_write_", "__import__", "_print_", "__builtins__"):
            with self.subTest(name):
                self.assertTrue(refused(f"def f({name}, /):\n    return 1\n"))
                self.assertTrue(refused(f"f = lambda {name}, /: 1\n"))

    def test_a_name_that_is_no_plain_text(self):
        self.blocked("class S(str):\n    def startswith(self, x):\n        return False\n"
                     "result = getattr(1, S('__class__'))")

    def test_modules_inside_modules(self):
        for source in ("import statistics\nresult = statistics.sys", "import re\nresult = re.enum",
                       "import json\nresult = json.codecs", "import random\nresult = random._os",
                       "from json import decoder as d\nresult = d", "import collections\nresult = collections.abc.sys",
                       "import datetime\nresult = datetime.sys", "from functools import wraps\nresult = wraps"):
            with self.subTest(source):
                self.blocked(source)

    def test_modules_cannot_be_changed(self):
        self.blocked("import math\nmath.pi = 3\nresult = math.pi")
        self.blocked("import math\nsetattr(math, 'pi', 3)\nresult = math.pi")
        self.blocked("import math\ndel math.pi\nresult = 1")

    def test_guards_cannot_be_replaced(self):
        for source in ("_getattr_ = getattr", "global _getattr_\n_getattr_ = 1", "for _getattr_ in []: pass",
                       "import math as _getattr_",
                       "with x as _getattr_: pass", "def f(*, _write_): pass", "[1 for _getiter_ in []]",
                       "try: pass\nexcept E as _getattr_: pass", "(_getattr_ := 1)", "del _getattr_"):
            with self.subTest(source):
                self.assertTrue(refused(source))

    def test_no_printer_writes_elsewhere(self):
        self.blocked("class F:\n    def write(self, x):\n        pass\nprint('x', file=F())\nresult = 1")


if __name__ == "__main__":
    unittest.main()
