#!/usr/bin/env python3
"""Drives the real harness over pipes, as the engine does, on the host's interpreter.

CASEMATE_TEST_PYTHON names another interpreter; tests of a library that it lacks are skipped.
"""

import base64
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = os.environ.get("CASEMATE_TEST_PYTHON", sys.executable)
LEFT_OUT = "application/vnd.casemate.left-out"
# The interpreter's own path, with site-packages, as the engine's environment has it.
SYS_PATH, VERSION = json.loads(subprocess.run(
    [PYTHON, "-I", "-c", "import json, sys; print(json.dumps([sys.path, sys.version_info[:2]]))"],
    check=True, stdout=subprocess.PIPE).stdout)


def has(module):
    return subprocess.run([PYTHON, "-I", "-c", f"import importlib.util as u, sys; "
                           f"sys.exit(u.find_spec('{module}') is None)"]).returncode == 0


def frame(kind, payload=b""):
    return kind + len(payload).to_bytes(4, "little") + payload


class Run:
    """One program's run: its frames by type, in order, and what any process leaves."""

    def __init__(self, code, *, input_json=None, argv=("main.py",), folder=HERE, suffix=".py", timeout=60,
                 request=None, name="main.py", ended=False, **options):
        with tempfile.TemporaryDirectory() as temporary:
            self.file = os.path.join(temporary, name)
            source = code if isinstance(code, bytes) else code.encode()
            with open(self.file, "wb") as file:
                file.write(source)
            values = {"filename": self.file, "argv": list(argv), "sys_path": SYS_PATH,
                      "result_bytes_max": 1 << 20, "result_depth_max": 64, "displays_bytes_max": 16 << 20,
                      **options}
            if request is None:
                request = frame(b"o", json.dumps(values, ensure_ascii=False).encode()) + frame(b"c", source)
                request += (b"" if input_json is None else frame(b"i", input_json.encode())) + frame(b"g")
            self._exchange(request, os.path.join(str(folder), "harness" + suffix), temporary, timeout, ended)

    def _exchange(self, request, harness, temporary, timeout, ended):
        request_read, request_write = os.pipe()
        result_read, result_write = os.pipe()
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": temporary, "MPLBACKEND": "agg",
                       "MPLCONFIGDIR": os.path.join(tempfile.gettempdir(), f"casemate-harness-test-mpl-{os.getuid()}")}
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(
                [PYTHON, "-I", "-S", harness, str(request_read), str(result_write)], stdin=subprocess.DEVNULL,
                stdout=out, stderr=err, pass_fds=(request_read, result_write), env=environment, cwd=temporary)
            os.close(request_read)
            os.close(result_write)
            os.set_blocking(request_write, False)
            data, deadline = b"", time.monotonic() + timeout
            while True:
                writers = [request_write] if request_write >= 0 else []
                readable, writable, _ = select.select([result_read], writers, [], max(0, deadline - time.monotonic()))
                if not readable and not writable:
                    process.kill()
                    raise AssertionError("the program did not end")
                if writable:
                    try:
                        request = request[os.write(request_write, request):]
                    except BrokenPipeError:
                        request = b""
                    if not request:
                        os.close(request_write)
                        request_write = -1
                if readable:
                    chunk = os.read(result_read, 1 << 16)
                    if not chunk:
                        break
                    data += chunk
                    if ended and data[-6:] == frame(b"Q", data[-1:]):
                        process.kill()  # as the engine does
            for fd in (result_read, request_write):
                if fd >= 0:
                    os.close(fd)
            self.exit_code = process.wait(timeout)
            out.seek(0), err.seek(0)
            self.out, self.err = out.read().decode(), err.read().decode("utf-8", "replace")
        self.frames = []
        while data:
            size = int.from_bytes(data[1:5], "little")
            assert len(data) >= 5 + size, "a frame was cut short"
            self.frames.append((data[:1].decode(), data[5:5 + size].decode()))
            data = data[5 + size:]

    @property
    def kinds(self):
        return "".join(kind for kind, _ in self.frames)

    def text(self, kind):
        texts = [text for k, text in self.frames if k == kind]
        assert len(texts) == 1, f"{len(texts)} frames of type {kind}: {self.frames} {self.err}"
        return texts[0]

    @property
    def result(self):
        return json.loads(self.text("R"))

    @property
    def refusal(self):
        return json.loads(self.text("X"))

    @property
    def error(self):
        return json.loads(self.text("E"))

    @property
    def displays(self):
        return [json.loads(text) for kind, text in self.frames if kind == "D"]


class Program(unittest.TestCase):
    def test_nothing(self):
        run = Run("pass")
        self.assertEqual((run.exit_code, run.out, run.err, run.kinds), (0, "", "", "STZQ"))

    def test_every_function_names_the_file(self):
        code = """'''Text.'''
import sys, _warnings
names = lambda code: {code.co_filename}.union(*(names(c) for c in code.co_consts if type(c) is type(code)))
result = [*names(sys._getframe().f_code), __doc__, sys.gettrace(), _warnings.filters[0][0] == "error"]
"""
        for padding in ("", "# longer\n" * 4000):
            self.assertEqual((run := Run(code + padding)).result, [run.file, "Text.", None, False])

    def test_what_the_compiler_says_names_the_file(self):
        run = Run("a = 1\nresult = a is 1")
        self.assertEqual((run.result, run.err.count(f"{run.file}:2: SyntaxWarning")), (True, 1))
        for code in ("print(1)\nx = = 1", "print(1)\nreturn"):
            run = Run(code)
            self.assertEqual((run.kinds, run.out, f'File "{run.file}", line 2' in run.err), ("SETZQ", "", True))

    def test_output_input_and_result(self):
        run = Run("import sys\nprint('é', sys.argv)\nresult = {'got': INPUT_DATA, 'name': __name__}",
                  input_json='{"a": [1, true, null, "\\ud83d\\ude00"]}', argv=["main.py", "-x"])
        self.assertEqual(run.out, "é ['main.py', '-x']\n")
        self.assertEqual(run.result, {"got": {"a": [1, True, None, "\U0001f600"]}, "name": "__main__"})
        self.assertEqual(run.kinds, "SRTZQ")
        steps = {"python." + step for step in ("prepare", "compile", "run", "report")}
        self.assertEqual(set(json.loads(run.text("T"))), steps)

    def test_no_input_is_none(self):
        self.assertIs(Run("result = INPUT_DATA is None").result, True)

    def test_large_input_and_code(self):
        run = Run("result = len(INPUT_DATA)" + "\n#" + "x" * 300_000, input_json=json.dumps("y" * 16_000_000))
        self.assertEqual(run.result, 16_000_000)

    def test_namespace_is_the_programs_own(self):
        run = Run("result = sorted(k for k in dir() if not k.startswith('__'))")
        self.assertEqual(run.result, ["INPUT_DATA"])

    def test_is_the_main_module(self):
        run = Run("import sys, __main__, inspect\n"
                  "def f(): return 1\n"
                  "result = [__main__.f is f, __main__.__file__ == __file__, inspect.getsource(f),\n"
                  "          sys.modules['__main__'].__dict__ is globals(), __spec__ is None]")
        self.assertEqual(run.result, [True, True, "def f(): return 1\n", True, True])

    def test_workspace_comes_first_in_sys_path(self):
        run = Run("import sys\nresult = sys.path")
        self.assertEqual(run.result, ["/workspace", *SYS_PATH])

    def test_few_modules_are_loaded(self):
        run = Run("import sys\nresult = [m for m in ('json', 're', 'os', 'traceback', 'linecache', 'types') "
                  "if m in sys.modules]")
        self.assertEqual(run.result, [])

    def test_builtins_of_site(self):
        run = Run("print(exit, callable(help), callable(quit))\nresult = 1\nexit(4)")
        self.assertEqual((run.out, run.exit_code), ("Use exit() to exit True True\n", 4))

    def test_future_and_trailing_expression(self):
        run = Run("from __future__ import annotations\ndef f(x: nothing): return f.__annotations__\n"
                  "result = f(1)\nf(2)")
        self.assertEqual(run.result, {"x": "nothing"})

    def test_encodings_of_source(self):
        self.assertEqual(Run(b"# coding: latin-1\nresult = '\xe9'").result, "é")
        self.assertEqual(Run(b"\xef\xbb\xbfresult = 1\r\n").result, 1)

    def test_pickle_of_main(self):
        run = Run("import pickle\nclass A: x = 3\nresult = pickle.loads(pickle.dumps(A())).x")
        self.assertEqual(run.result, 3)

    def test_multiprocessing_fork(self):
        run = Run("import multiprocessing as m\ndef sq(x): return x * x\n"
                  "with m.get_context('fork').Pool(2) as pool: result = pool.map(sq, range(4))")
        self.assertEqual(run.result, [0, 1, 4, 9])

    def test_forked_child_does_not_report(self):
        run = Run("import os, sys\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nelse: display('child')\n"
                  "result = bool(pid)")
        self.assertEqual((run.kinds, run.result), ("SRTZQ", True))

    def test_threads_and_atexit_run_after(self):
        run = Run("import atexit, threading, time\natexit.register(lambda: print('bye'))\n"
                  "threading.Thread(target=lambda: (time.sleep(.05), print('thread'))).start()\nprint('end')")
        self.assertEqual((run.out, run.exit_code), ("end\nthread\nbye\n", 0))

    def test_subprocess_does_not_inherit_the_channel(self):
        run = Run("import os, subprocess, sys\nresult = subprocess.run([sys.executable, '-c', 'import os; "
                  "print(sorted(map(int, os.listdir(\"/proc/self/fd\")))[:-1])'], close_fds=False, "
                  "stdout=subprocess.PIPE).stdout.decode()")
        self.assertEqual(run.result, "[0, 1, 2]\n")

    def test_output_of_a_killed_program_is_kept(self):
        run = Run("import os\nprint('before')\nresult = 1\nos._exit(3)")
        self.assertEqual((run.out, run.exit_code, run.kinds), ("before\n", 3, "S"))

    def test_closed_descriptors(self):
        run = Run("import os, sys\nsys.stdout.close()\nsys.stderr.close()\nresult = 1")
        self.assertEqual((run.result, run.exit_code), (1, 0))
        run = Run("import os, sys\nprint('x')\nsys.stdout.flush()\nos.closerange(0, 3)\nresult = 2")
        self.assertEqual((run.out, run.result), ("x\n", 2))

    def test_closed_channel_is_no_error(self):
        run = Run("import os\nos.closerange(3, 2000)\nprint('on')\nresult = 1")
        self.assertEqual((run.out, run.err, run.exit_code, run.kinds), ("on\n", "", 0, "S"))

    def test_signal_handlers_that_display(self):
        run = Run("import signal, time\nsignal.signal(signal.SIGALRM, lambda *a: display('alarm'))\n"
                  "signal.setitimer(signal.ITIMER_REAL, .01, .01)\n"
                  "for i in range(300): display('x' * 5000)\nsignal.setitimer(signal.ITIMER_REAL, 0)\nresult = 1")
        self.assertEqual(run.result, 1)
        self.assertEqual(sum(d["text/plain"] == repr("x" * 5000) for d in run.displays), 300)

    def test_threads_that_display(self):
        run = Run("import threading\ndef f():\n  for i in range(50): display('y' * 9000)\n"
                  "t = [threading.Thread(target=f) for _ in range(4)]\n[x.start() for x in t]\n[x.join() for x in t]\n"
                  "result = 1")
        self.assertEqual(len(run.displays), 200)

    def test_engine_that_goes_away(self):
        self.assertEqual(Run("pass", request=frame(b"o", b"{}")).exit_code, 125)

    def test_compiled(self):
        with tempfile.TemporaryDirectory() as folder:
            compile_into(folder)
            run = Run("result = [1]\n1/0 if INPUT_DATA else None", input_json="0", folder=folder, suffix=".pyc")
            self.assertEqual(run.result, [1])
            run = Run("1/0", folder=folder, suffix=".pyc")
            self.assertEqual(run.err.count("File "), 1)
            self.assertEqual(len(Run("display(1)", folder=folder, suffix=".pyc").displays), 1)


def compile_into(folder):
    """What the engine does once for each interpreter."""
    names = ("harness", "errors", "result_json", "displays")
    arguments = [text for name in names for text in (name, (HERE / f"{name}.py").read_text())]
    out = subprocess.run([PYTHON, "-I", "-S", "-c", (HERE / "compile_harness.py").read_text(), *arguments],
                         check=True, stdout=subprocess.PIPE).stdout
    for name in names:
        size = int.from_bytes(out[:4], "little")
        pathlib.Path(folder, f"{name}.pyc").write_bytes(out[4:4 + size])
        out = out[4 + size:]
    assert not out


class Errors(unittest.TestCase):
    def assert_like_python(self, code, **options):
        """stderr and exit code are those of `python3 main.py`."""
        run = Run(code, **options)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "main.py")
            with open(path, "w") as file:
                file.write(code)
            plain = subprocess.run([PYTHON, "-I", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(run.err.replace(run.file, "FILE"), plain.stderr.decode().replace(path, "FILE"))
        self.assertEqual(run.exit_code, plain.returncode)
        return run

    def test_uncaught(self):
        run = self.assert_like_python("def f():\n    return 1 / 0\nresult = 5\nf()\n")
        self.assertEqual(run.error["type"], "ZeroDivisionError")
        self.assertEqual(run.error["message"], "division by zero")
        self.assertEqual(run.error["traceback"], run.err)
        self.assertEqual(run.kinds, "SETZQ")  # no result of a program that failed

    def test_in_trailing_expression(self):
        self.assert_like_python("x = 1\n(x +\n 1 / 0)\n[0][1]")

    def test_chained(self):
        run = self.assert_like_python("try:\n  {}['a']\nexcept KeyError as e:\n  raise ValueError('no') from e\n")
        self.assertIn("direct cause", run.error["traceback"])
        run = self.assert_like_python("try:\n  {}['a']\nexcept KeyError:\n  oops\n")
        self.assertEqual(run.error["type"], "NameError")

    def test_syntax(self):
        run = self.assert_like_python("x = 1\nif x\n  pass\n")
        self.assertEqual((run.error["type"], run.kinds), ("SyntaxError", "SETZQ"))
        self.assertNotIn("Traceback", run.err)
        self.assert_like_python("def f():\nx = 1\n")
        self.assert_like_python("for")
        self.assert_like_python("return 1\n")
        self.assert_like_python("f(x = 1, 2)")

    def test_null_byte(self):
        self.assertEqual(Run("x = 1\0").exit_code, 1)

    def test_recursion(self):
        run = Run("def f(n):\n    return f(n + 1)\nf(0)\n")
        self.assertEqual((run.error["type"], run.exit_code), ("RecursionError", 1))
        self.assertRegex(run.err, r"Previous line repeated 9\d\d more times")
        self.assertNotIn("harness", run.err)

    def test_str_that_raises(self):
        run = self.assert_like_python("class E(Exception):\n  def __str__(self): raise ValueError\nraise E\n")
        self.assertEqual((run.error["type"], run.error["message"]), ("E", "<exception str() failed>"))

    @unittest.skipIf(VERSION < [3, 11], "exception groups came with Python 3.11")
    def test_group(self):
        run = self.assert_like_python("raise ExceptionGroup('g', [ValueError(1), TypeError(2)])\n")
        self.assertEqual(run.error["type"], "ExceptionGroup")

    def test_exit(self):
        self.assertEqual(self.assert_like_python("import sys\nsys.exit(7)").kinds, "STZQ")
        self.assert_like_python("raise SystemExit")
        self.assert_like_python("import sys\nsys.exit(0)")
        run = self.assert_like_python("import sys\nresult = 1\nsys.exit('no data')")
        self.assertEqual(run.error, {"type": "SystemExit", "message": "no data", "traceback": ""})
        self.assertEqual(run.result, 1)
        self.assertEqual(Run("result = [1]\nraise SystemExit(9)").result, [1])

    def test_keyboard_interrupt(self):
        run = self.assert_like_python("raise KeyboardInterrupt\n")
        self.assertEqual((run.exit_code, run.error["type"]), (-signal.SIGINT, "KeyboardInterrupt"))

    def test_excepthook(self):
        run = self.assert_like_python("import sys\nsys.excepthook = lambda t, v, tb: print('hook', t.__name__, "
                                      "tb.tb_frame.f_code.co_name, v.__traceback__ is tb, file=sys.stderr)\n1/0\n")
        self.assertEqual(run.err, "hook ZeroDivisionError <module> True\n")
        self.assertEqual(run.error["type"], "ZeroDivisionError")
        run = Run("import sys\ndef hook(*a): raise SystemExit(5)\nsys.excepthook = hook\n1/0")
        self.assertEqual((run.exit_code, run.error["type"]), (5, "ZeroDivisionError"))
        run = Run("import sys\ndef hook(*a): oops\nsys.excepthook = hook\n1/0")
        self.assertIn("Error in sys.excepthook", run.err)
        self.assertIn("Original exception was", run.err)
        self.assertIn("ZeroDivisionError", run.err)
        self.assertNotIn("harness", run.err)

    def test_last_value_for_atexit(self):
        run = Run("import atexit, sys\natexit.register(lambda: print(repr(sys.last_value)))\n1/0")
        self.assertEqual(run.out, "ZeroDivisionError('division by zero')\n")

    def test_os_error(self):
        run = Run("open('/nowhere/x')")
        self.assertEqual((run.error["errno"], run.error["filename"]), (2, "/nowhere/x"))
        self.assertNotIn("filename", Run("raise OSError(1, 'x', 5)").error)

    def test_module_of_type(self):
        self.assertEqual(Run("import json\njson.loads('x')").error["type"], "json.decoder.JSONDecodeError")

    def test_huge_message_is_cut_for_the_engine_only(self):
        run = Run("raise ValueError('x' * 3_000_000)")
        self.assertLess(len(run.text("E")), 200_000)
        self.assertIn("characters left out", run.error["message"])
        self.assertGreater(len(run.err), 3_000_000)

    def test_surrogates_in_message(self):
        self.assertEqual(Run("raise ValueError('\\udc80')").error["message"], "\\udc80")

    def test_stderr_replaced_or_closed(self):
        self.assertEqual(Run("import sys\nsys.stderr = None\n1/0").error["type"], "ZeroDivisionError")
        self.assertEqual(Run("import sys\ndel sys.stderr, sys.excepthook\n1/0").error["type"], "ZeroDivisionError")
        run = Run("import io, sys\nsys.stderr = s = io.StringIO()\nimport atexit\n"
                  "atexit.register(lambda: print(s.getvalue()[:9]))\n1/0")
        self.assertEqual((run.out, run.exit_code), ("Traceback\n", 1))

    def test_descriptors_used_up(self):
        leak = ("import resource, os\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\nfiles = []\n"
                "def leak():\n  while True: files.append(os.dup(1))\n")
        run = Run(leak + "leak()")
        self.assertEqual((run.error["type"], run.error["errno"], run.exit_code), ("OSError", 24, 1))
        run = Run(leak + "try: leak()\nexcept OSError: result = [1]")
        self.assertEqual((run.result, run.err, run.exit_code), ([1], "", 0))

    def test_out_of_memory(self):
        run = Run("import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\nx = b'x' * (1 << 32)")
        self.assertEqual((run.error["type"], run.exit_code), ("MemoryError", 1))

    def test_error_in_thread(self):
        run = Run("import threading\nt = threading.Thread(target=lambda: 1/0)\nt.start()\nt.join()\nresult = 1")
        self.assertIn("ZeroDivisionError", run.err)
        self.assertEqual((run.exit_code, run.result), (0, 1))


class Result(unittest.TestCase):
    def check(self, expression, expected):
        self.assertEqual(Run(f"result = {expression}").text("R"), expected, expression)

    def refused(self, code, reason, path, **options):
        run = Run(code, **options)
        self.assertEqual((run.refusal["reason"], run.refusal["path"]), (reason, path), run.refusal)
        self.assertEqual(run.exit_code, 0)
        return run.refusal["message"]

    def test_plain(self):
        self.check("None", "null")
        self.check("[True, 1, -2.5, 'a\\n\"\\u2028é\\x00', None, (), {}]",
                   '[true,1,-2.5,"a\\n\\"\u2028é\\u0000",null,[],{}]')
        self.check("{'b': 1, 'a': (1, 2)}", '{"b":1,"a":[1,2]}')
        self.check("{1: 1, None: 2, False: 3, 1.5: 4}", '{"1":1,"null":2,"false":3,"1.5":4}')
        self.check("[1e22, 0.1, -0.0, 1e-7, 5e-324]", "[1e+22,0.1,-0.0,1e-07,5e-324]")
        self.check("['a', 'b']", '["a","b"]')
        self.check("'\\U0001f600'", '"\U0001f600"')

    def test_absent(self):
        self.assertEqual(Run("x = 1").kinds, "STZQ")
        self.assertEqual(Run("result = 1\ndel result").kinds, "STZQ")

    def test_integers_of_any_size(self):
        self.check("10 ** 6000", "1" + "0" * 6000)
        self.check("[10 ** 5000] * 2", "[" + ",".join(["1" + "0" * 5000] * 2) + "]")
        self.assertEqual(Run("result = INPUT_DATA + 1", input_json="9" * 5000).text("R"), "1" + "0" * 5000)
        self.refused("result = 1 << 100_000_000", "size", "result")

    def test_subclasses(self):
        self.check("__import__('enum').IntEnum('E', 'a').a", "1")
        self.check("__import__('collections').OrderedDict(a=__import__('collections').Counter('aab'))",
                   '{"a":{"a":2,"b":1}}')
        self.check("type('S', (str,), {'__str__': lambda s: 'x', '__len__': lambda s: -1})('abc')", '"abc"')

    def test_standard_scalars(self):
        self.check("[__import__('datetime').date(2020, 1, 2), __import__('datetime').datetime(2020, 1, 2, 3)]",
                   '["2020-01-02","2020-01-02T03:00:00"]')
        self.check("[__import__('decimal').Decimal('1.10'), __import__('pathlib').Path('/a/b')]", '["1.10","/a/b"]')
        self.check("__import__('uuid').UUID(int=1)", '"00000000-0000-0000-0000-000000000001"')
        self.check("{__import__('datetime').date(2020, 1, 2): 1}", '{"2020-01-02":1}')

    def test_refusals(self):
        self.assertIn("sorted", self.refused("result = {'rows': [1, {'x': {2}}]}", "type", 'result["rows"][1]["x"]'))
        self.assertIn("decode", self.refused("result = b'x'", "type", "result"))
        self.assertIn("asdict", self.refused("import dataclasses\n@dataclasses.dataclass\nclass A: x: int\n"
                                             "result = [A(1)]", "type", "result[0]"))
        self.assertIn(".value", self.refused("import enum\nE = enum.Enum('E', 'a')\nresult = E.a", "type", "result"))
        self.refused("result = [1, 2.0, float('nan')]", "nan", "result[2]")
        self.refused("result = {'a': [1.0, float('-inf')]}", "nan", 'result["a"][1]')
        self.refused("result = {float('nan'): 1}", "nan", "result")
        self.refused("result = [[]]\nresult[0].append(result)", "cycle", "result[0][0]")
        self.refused("result = {'a': ['ok', 'x\\udc80']}", "surrogate", 'result["a"][1]')
        self.refused("result = {'\\udc80': 1}", "surrogate", 'result["\\udc80"]')
        self.refused("result = {(1, 2): 3}", "key", "result")
        self.refused("result = {1: 3, '1': 4}", "key", 'result["1"]')
        self.refused("x = []\nfor i in range(64): x = [x]\nresult = x", "depth", "result" + "[0]" * 64)
        self.refused("result = [[[]]]", "depth", "result[0][0]", result_depth_max=2)
        self.refused("result = print", "type", "result")

    def test_depth_at_the_limit(self):
        self.assertEqual(Run("x = []\nfor i in range(63): x = [x]\nresult = x").text("R"), "[" * 64 + "]" * 64)

    def test_as_deep_as_the_engine_allows(self):
        text = "[" * 1000 + "]" * 1000
        run = Run("import sys\nlimit = sys.getrecursionlimit()\nresult = INPUT_DATA if limit == 1000 else limit",
                  input_json=text, result_depth_max=1000)
        self.assertEqual(run.text("R"), text)

    def test_deeper_than_the_recursion_limit(self):
        run = Run("x = []\nfor i in range(100_000): x = [x]\nresult = x", result_depth_max=1_000_000)
        self.assertEqual(run.refusal["reason"], "depth")

    def test_size(self):
        self.assertEqual(Run("result = 'x' * 98", result_bytes_max=100).result, "x" * 98)
        self.refused("result = 'x' * 99", "size", "result", result_bytes_max=100)
        self.refused("result = ['é' * 40] * 2", "size", "result", result_bytes_max=100)
        self.assertIn("result_bytes_max", self.refused("result = [0] * 1_000_000", "size", "result"))

    def test_value_that_refers_to_itself_many_times(self):
        begin = time.monotonic()
        self.refused("x = [1]\nfor i in range(40): x = [x, x]\nresult = x", "size", "result")
        self.assertLess(time.monotonic() - begin, 20)

    def test_classes_that_raise(self):
        message = self.refused("class D(dict):\n  def items(self): raise SystemExit(3)\nresult = [D(a=1)]",
                               "type", "result[0]")
        self.assertIn("SystemExit", message)

    def test_a_megabyte_is_quick(self):
        run = Run("result = [{'id': i, 'name': 'n%d' % i, 'v': [1.5, 2.5]} for i in range(15_000)]")
        self.assertEqual(len(run.result), 15_000)
        self.assertLess(json.loads(run.text("T"))["python.report"], 2_000_000)


class Displays(unittest.TestCase):
    def test_display_of_plain_values(self):
        self.assertEqual(Run("display(1, 'a')").displays, [{"text/plain": "1"}, {"text/plain": "'a'"}])

    def test_trailing_expression(self):
        rich = "class H:\n  def _repr_html_(self): return '<b>é</b>'\n  def __repr__(self): return 'H'\n"
        self.assertEqual(Run(rich + "H()").displays, [{"text/html": "<b>é</b>", "text/plain": "H"}])
        self.assertEqual(Run(rich + "[H(),\n H()][\n 0\n]\n\n").kinds, "SDTZQ")
        self.assertEqual(Run(rich + "x = H()").kinds, "STZQ")
        self.assertEqual(Run("40 + 2").kinds + Run("'text'").out, "STZQ")
        self.assertEqual(Run("object()").kinds, "STZQ")
        self.assertEqual(Run(rich + "if True:\n  H()").kinds, "STZQ")

    def test_forms(self):
        run = Run("class B:\n  def _repr_png_(self): return b'\\x89PNG'\n  def _repr_json_(self): return {'a': 1}\n"
                  "  def _repr_mimebundle_(self, include, exclude): return {'text/x': 'y', 'bad/json': {1, 2}}\n"
                  "  def __repr__(self): return 'B'\ndisplay(B())")
        self.assertEqual(run.displays, [{"image/png": base64.b64encode(b"\x89PNG").decode(), "text/x": "y",
                                         "application/json": '{"a":1}', "text/plain": "B"}])

    def test_methods_that_raise(self):
        run = Run("class H:\n  def _repr_html_(self): raise ValueError('no')\nresult = 1\nH()")
        self.assertEqual(run.displays, [{"text/plain": "[display failed: ValueError: no]"}])
        self.assertEqual(run.result, 1)
        run = Run("class H:\n  def _repr_html_(self): raise SystemExit(3)\nresult = 1\nH()")
        self.assertEqual((run.exit_code, run.result), (0, 1))

    def test_limit(self):
        run = Run("class H:\n  def _repr_html_(self): return 'x' * 1000\n  def __repr__(self): return 'H'\n"
                  "display(H())\ndisplay('y' * 5000)\ndisplay('ok')", displays_bytes_max=300)
        first, second, third = run.displays
        self.assertEqual((first["text/plain"], first[LEFT_OUT]), ("H", "1033"))
        self.assertIn("left out", second["text/plain"])
        self.assertEqual(third, {"text/plain": "'ok'"})
        self.assertLessEqual(sum(len(text) for kind, text in run.frames if kind == "D"), 300)

    def test_many_over_the_limit_are_told_once(self):
        run = Run("for i in range(1000): display('y' * 50)", displays_bytes_max=100)
        self.assertEqual(len(run.displays), 2)
        self.assertIn(LEFT_OUT, run.displays[1])


@unittest.skipUnless(has("numpy"), "numpy is not installed")
class Numpy(unittest.TestCase):
    def test_values(self):
        run = Run("import numpy as np\nresult = {'a': np.arange(3), 'm': np.eye(2), 'i': np.int64(2), "
                  "'b': np.bool_(True), 'f': np.float32(.5), 'd': np.array(['2020-01-01', 'NaT'], 'M8[D]'), "
                  "'s': np.str_('x'), np.int64(4): 0, 'o': np.float64(1.5)}")
        self.assertEqual(run.result, {"a": [0, 1, 2], "m": [[1.0, 0.0], [0.0, 1.0]], "i": 2, "b": True, "f": 0.5,
                                      "d": ["2020-01-01", None], "s": "x", "4": 0, "o": 1.5})

    def test_nan(self):
        run = Run("import numpy as np\nresult = {'a': np.array([[1, np.nan]])}")
        self.assertEqual((run.refusal["reason"], run.refusal["path"]), ("nan", 'result["a"][0][1]'))


@unittest.skipUnless(has("pandas"), "pandas is not installed")
class Pandas(unittest.TestCase):
    def test_result_and_display(self):
        run = Run("import pandas as pd\nresult = pd.DataFrame({'n': [1, None], 't': pd.to_datetime(['2020-01-02', "
                  "None]), 's': ['a', None]})")
        rows = [{"n": 1.0, "t": "2020-01-02T00:00:00", "s": "a"}, {"n": None, "t": None, "s": None}]
        self.assertEqual(run.result, rows)
        (shown,) = run.displays
        self.assertEqual(set(shown), {"text/html", "application/json", "text/plain"})
        self.assertEqual(json.loads(shown["application/json"]), {"rows_total": 2, "rows": rows})

    def test_trailing_and_result_are_shown_once(self):
        self.assertEqual(len(Run("import pandas as pd\nresult = pd.DataFrame({'a': [1]})\nresult").displays), 1)

    def test_series_and_indexes(self):
        run = Run("import pandas as pd\nd = pd.DataFrame({'k': list('aab'), 'v': [1, 2, 3]})\n"
                  "result = [d.v, d.groupby('k').v.sum(), d.groupby('k').sum(), d[d.v > 1], "
                  "d.groupby('k').agg({'v': ['min', 'max']}), d.columns, d.v.describe().to_frame().head(1)]")
        self.assertEqual(run.result, [
            [1, 2, 3], {"a": 3, "b": 3}, [{"k": "a", "v": 3}, {"k": "b", "v": 3}],
            [{"k": "a", "v": 2}, {"k": "b", "v": 3}],
            [{"k_": "a", "v_min": 1, "v_max": 2}, {"k_": "b", "v_min": 3, "v_max": 3}], ["k", "v"],
            [{"index": "count", "v": 3.0}]])


@unittest.skipUnless(has("matplotlib"), "matplotlib is not installed")
class Matplotlib(unittest.TestCase):
    def test_show_and_open_figures(self):
        run = Run("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint(plt.get_fignums())\n"
                  "plt.figure()\nplt.plot([3])\nf = plt.figure()\nf.text(0, 0, 'x')\nplt.figure()\nresult = 1\nf")
        self.assertEqual((run.out, run.err, len(run.displays)), ("[]\n", "", 3))
        for shown in run.displays:
            self.assertTrue(base64.b64decode(shown["image/png"]).startswith(b"\x89PNG"))
            self.assertIn("<svg", shown["image/svg+xml"])

    def test_any_backend(self):
        run = Run("import matplotlib\nmatplotlib.use('Agg')\nfrom matplotlib import pyplot\npyplot.bar([1], [2])\n"
                  "pyplot.show()\n1/0")
        self.assertEqual((len(run.displays), run.error["type"]), (1, "ZeroDivisionError"))
        self.assertNotIn("Warning", run.err)


if __name__ == "__main__":
    unittest.main()
