"""The base of the system tests' cases: a state folder of their own and a host that must stay clean."""

import os
import pathlib
import tempfile
import unittest

import casemate


class Case(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        casemate.require_binary()
        casemate.adopt_orphans()
        cls._folder = casemate.scratch("contract")
        cls.folder = pathlib.Path(cls._folder.__enter__())
        cls.state_dir, cls.temporary_dir = cls.folder / "state", cls.folder / "tmp"
        cls.state_dir.mkdir()
        cls.temporary_dir.mkdir()
        cls.env = casemate.environment(CASEMATE_STATE_DIR=str(cls.state_dir), TMPDIR=str(cls.temporary_dir))
        # The first run fills the state folder with what was learnt of the host.
        casemate.run_json("-c", "pass", env=cls.env)
        cls.traces = casemate.Traces(str(cls.state_dir), str(cls.temporary_dir))

    @classmethod
    def tearDownClass(cls):
        left = cls.traces.left_since()
        cls._folder.__exit__(None, None, None)
        if left:
            raise AssertionError(f"left on the host: {left}")

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        os.chmod(self.place, 0o755)

    def run_json(self, *arguments, **options):
        options.setdefault("env", self.env)
        done = casemate.run_json(*arguments, **options)
        self.assertFalse(done.hung, "casemate did not end by itself")
        self.assertIsNone(done.problem)
        self.assertGreaterEqual(done.code, 0, "casemate was killed by a signal")
        return done

    def run_text(self, *arguments, **options):
        options.setdefault("env", self.env)
        done = casemate.run(["run", *arguments], **options)
        self.assertFalse(done.hung, "casemate did not end by itself")
        self.assertGreaterEqual(done.code, 0, "casemate was killed by a signal")
        return done

    def ok(self, *arguments, **options):
        done = self.run_json(*arguments, **options)
        self.assertEqual(done["status"], "ok", done.tell())
        return done

    def status(self, status, *arguments, **options):
        done = self.run_json(*arguments, **options)
        self.assertEqual(done["status"], status, done.tell())
        if status in casemate.EXIT_CODES:
            self.assertEqual(done.code, casemate.EXIT_CODES[status], done.tell())
        return done

    def program(self, text, name="main.py"):
        path = self.place / name
        path.write_text(text, encoding="utf-8")
        return str(path)
