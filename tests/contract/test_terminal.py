#!/usr/bin/env python3
"""`casemate run -it`: a terminal of the sandbox's own, which whoever typed the command uses as if it were theirs;
its size, Ctrl-C, what is put back at the end; what cannot have one is refused."""

import contextlib
import fcntl
import os
import pathlib
import select
import struct
import subprocess
import sys
import termios
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402

PATIENCE = 30 * casemate.SLOW


class Person:
    """Someone at a terminal of 40 rows and 100 columns."""

    def __init__(self, arguments, env, rows=40, columns=100):
        self.keyboard, self.screen = os.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.screen)
        self.seen = b""

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen([casemate.BINARY, *arguments], stdin=self.screen, stdout=self.screen,
                                        stderr=self.screen, env=env, preexec_fn=take_terminal)

    def resize(self, rows, columns):
        fcntl.ioctl(self.keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.keyboard, text.encode())

    def read(self, seconds=0.1):
        if select.select([self.keyboard], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                self.seen += os.read(self.keyboard, 65536)

    def wait_for(self, text, count=1):
        deadline = time.monotonic() + PATIENCE
        while self.seen.count(text.encode()) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} did not come: {self.seen!r}")
            self.read()

    def end(self):
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"it did not end: {self.seen!r}")
            self.read()
        self.read(0)
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.keyboard)
        os.close(self.screen)


class Terminal(Case):
    def person(self, *arguments, **options):
        person = Person(arguments, dict(self.env, TERM="xterm-256color"), **options)
        self.addCleanup(person.close)
        return person

    def shell(self, *flags):
        person = self.person("run", "-it", *flags, "--", "bash", "--norc")
        person.wait_for("$ ")
        return person

    def test_a_shell_is_used_as_at_home(self):
        person = self.shell()
        person.type("tty; stty size; echo term=$TERM; test -t 2 && echo all three; ls /dev/pts\n")
        for text in ("/dev/pts/0\r\n", "40 100\r\n", "term=xterm-256color", "all three", "0  ptmx"):
            person.wait_for(text)
        person.resize(20, 55)
        person.type("stty size\n")
        person.wait_for("20 55\r\n")
        person.type("python3 -c 'import time; print(\"be\" \"gun\", flush=True); time.sleep(100)'\n")
        person.wait_for("begun")
        person.type("\x03")
        person.type("echo code $?\n")
        person.wait_for("code 130")
        person.type("exit 3\n")
        self.assertEqual(person.end(), 3)
        after = termios.tcgetattr(person.screen)
        self.assertEqual(after, person.before, "the terminal is as it was")

    def test_a_program_that_ignores_nothing_ends_by_control_c(self):
        person = self.person("run", "-it", "-c", "import time\nprint('here', flush=True)\ntime.sleep(100)")
        person.wait_for("here")
        person.type("\x03")
        self.assertNotEqual(person.end(), 0)
        self.assertIn(b"KeyboardInterrupt", person.seen)
        self.assertEqual(termios.tcgetattr(person.screen), person.before)

    def test_python_talks(self):
        person = self.person("run", "-it", "-c", "name = input('who? ')\nprint('hello', name)\nresult = name")
        person.wait_for("who? ")
        person.type("Ada\n")
        person.wait_for("hello Ada")
        self.assertEqual(person.end(), 0)

    def test_nothing_of_the_callers_terminal_is_inside(self):
        program = (
            "import fcntl, os, termios\n"
            "print('same', os.fstat(0).st_rdev == os.stat('/dev/pts/0').st_rdev, os.ttyname(0))\n"
            "for path in ('/dev/pts/ptmx', '/dev/ptmx'):\n"
            "    try: os.open(path, os.O_RDWR); print('opened', path)\n"
            "    except OSError as error: print('refused', path)\n"
            "try: fcntl.ioctl(0, termios.TIOCSTI, b'x'); print('pushed')\n"
            "except OSError as error: print('not pushed')\n"
            "tty = os.open('/dev/tty', os.O_RDWR); os.write(tty, b'through dev tty\\n')\n")
        person = self.person("run", "-it", "-c", program)
        person.wait_for("through dev tty")
        person.end()
        for text in (b"same True /dev/pts/0", b"refused /dev/pts/ptmx", b"refused /dev/ptmx", b"not pushed"):
            self.assertIn(text, person.seen)

    def test_all_that_is_shown_has_been_cleaned(self):
        secret = self.place / "secret"
        secret.write_text("terminal-secret-4711")
        secret.chmod(0o600)
        person = self.person("run", "-it", "--secret", f"TOKEN=file:{secret}", "--", "sh", "-c",
                             'echo "it is $TOKEN."; echo end')
        person.wait_for("end")
        self.assertEqual(person.end(), 0)
        self.assertNotIn(b"4711", person.seen)

    def test_a_long_output_comes_whole_and_a_flood_is_cut(self):
        person = self.person("run", "-t", "--", "seq", "1", "60000")
        self.assertEqual(person.end(), 0)
        for _ in range(50):
            person.read(0)
        # No terminal of ours is raw where nobody types: it makes line ends of line ends.
        self.assertTrue(b"\n60000\r" in person.seen, person.seen[-200:])
        flood = self.person("run", "-t", "--stdout-limit", "64k", "--", "yes")
        self.assertEqual(flood.end(), 141)

    def test_who_hangs_up_ends_it(self):
        person = self.shell("--timeout", "5m")
        person.process.send_signal(1)
        self.assertEqual(person.end(), 129)
        self.assertEqual(termios.tcgetattr(person.screen), person.before)

    def test_what_has_none_is_refused(self):
        def refused(*arguments, stdin=subprocess.DEVNULL):
            done = subprocess.run([casemate.BINARY, *arguments], stdin=stdin, capture_output=True, env=self.env,
                                  timeout=PATIENCE, check=False)
            self.assertEqual(done.returncode, 126, done)
            return done.stderr.decode()

        self.assertIn("stdin is no terminal", refused("run", "-it", "--", "true"))
        self.assertIn("--json", refused("run", "-t", "--json", "-c", "1"))
        self.assertIn("gives a program no terminal", refused("run", "-t", "--isolation", "process", "-c", "1"))
        self.assertIn("--tty", refused("run", "-t", "--batch", "-"))
        self.assertIn("resident engine gives no terminals",
                      refused("run", "-t", "--engine", f"{self.place}/none", "-c", "1"))

    def test_one_that_nobody_types_into(self):
        done = subprocess.run([casemate.BINARY, "run", "-t", "--", "tty"], stdin=subprocess.DEVNULL,
                              capture_output=True, env=self.env, timeout=PATIENCE, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, b"/dev/pts/0\r\n"), done)

    def test_someones_program_is_tried_at_a_terminal(self):
        folder = self.place / "theirs"
        folder.mkdir()
        (folder / "run.py").write_text("open('out.txt', 'w').write(input('name: '))\nprint('kept')\n")
        person = self.person("try", "-it", str(folder))
        person.wait_for("name: ")
        person.type("Grace\n")
        person.wait_for("kept")
        self.assertEqual(person.end(), 0)
        for _ in range(5):
            person.read(0)
        self.assertIn(b"out.txt (5 bytes)", person.seen)


if __name__ == "__main__":
    unittest.main(verbosity=2)
