#!/usr/bin/env python3
"""Tests of how the harness tells the program's end, and of what a program sees until then."""

import unittest

from harness_test import Run


class ToldEndTest(unittest.TestCase):
    def test_tells_its_end_after_all_that_is_seen_of_it(self):
        code = ("import atexit, threading, time\nclass Last:\n    def __del__(self): print('gone')\nlast = Last()\n"
                "atexit.register(lambda: display('bye'))\n"
                "threading.Thread(target=lambda: (time.sleep(.05), print('thread'))).start()\nresult = 1\n")
        for tail, exit_code in (("", 0), ("raise SystemExit(3)", 3), ("1 / 0", 1)):
            run = Run(code + tail)
            self.assertEqual(run.text("Q"), chr(exit_code))
            self.assertEqual(run.kinds[-4:], "TZDQ")
            # Nobody has ended it: it ends as any interpreter does, with nothing left to do twice.
            self.assertEqual((run.out, run.exit_code), ("thread\ngone\n", exit_code))

    def test_does_not_tell_an_end_that_only_the_interpreter_knows(self):
        for code in ("raise SystemExit('why')", "raise KeyboardInterrupt",
                     "import atexit, sys\natexit.register(sys.stdout.close)"):
            self.assertNotIn("Q", Run(code).kinds)

    def test_loses_nothing_when_it_is_ended_then(self):
        file = "f = open('/proc/self/fd/1', 'w')\nf.write('kept')\n"
        cycle = "import gc\nclass A: pass\nA.f, A.a = f, A\ngc.collect()\n"
        for code, out in (("print('x', end='')", "x"), (file, "kept"), (file + cycle, "kept")):
            run = Run(code + "\nresult = 1", ended=True)
            self.assertEqual((run.out, run.kinds), (out, "SRTZQ"))

    def test_leaves_to_the_interpreter_what_it_alone_finalizes(self):
        for code, out in (
                ("import json\njson.f = open('/proc/self/fd/1', 'w')\njson.f.write('kept')", "kept"),
                ("import json\nclass A:\n  def __del__(self, print=print): print('gone')\njson.a = A()", "gone\n"),
                ("import json\nclass A:\n  __slots__ = ()\n  def __del__(self, print=print): print('gone')\n"
                 "json.a = A()", "gone\n"),
                ("import json\ndef f(print=print):\n  try: yield\n  finally: print('last')\njson.g = f()\n"
                 "next(json.g)", "last\n"),
                ("import ctypes\nctypes.CDLL(None).printf(b'of C')", "of C"),
                ("import io, sys\nprint('x', end='')\nsys.stdout = io.StringIO()", "x")):
            run = Run(code, ended=True)
            self.assertEqual((run.out, run.exit_code), (out, 0), code)
            self.assertNotIn("Q", run.kinds, code)

    def test_has_told_the_result_before_a_function_at_exit_ends_it_all(self):
        run = Run("import atexit, os\nresult = 1\natexit.register(os._exit, 4)")
        self.assertEqual((run.kinds, run.exit_code), ("SRTZ", 4))

    def test_forked_child_does_not_tell_its_end(self):
        run = Run("import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)")
        self.assertEqual(run.kinds.count("Q"), 1)


if __name__ == "__main__":
    unittest.main()
