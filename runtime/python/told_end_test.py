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
            run = Run(code + tail, words=("Q",))
            self.assertEqual(run.text("Q"), chr(exit_code))
            self.assertEqual((run.kinds[-3:], run.kinds.count("D")), ("TZQ", 1))
            # Nobody has ended it: it ends as any interpreter does, with nothing left to do twice.
            self.assertEqual((run.out, run.exit_code), ("thread\ngone\n", exit_code))

    def test_does_not_tell_an_end_that_only_the_interpreter_knows(self):
        for code in ("raise SystemExit('why')", "raise KeyboardInterrupt",
                     "import atexit, sys\natexit.register(sys.stdout.close)"):
            self.assertNotIn("Q", Run(code, words=("Q",)).kinds)

    def test_forked_child_does_not_tell_its_end(self):
        run = Run("import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)", words=("Q",))
        self.assertEqual(run.kinds.count("Q"), 1)


if __name__ == "__main__":
    unittest.main()
