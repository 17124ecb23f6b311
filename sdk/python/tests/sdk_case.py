"""The base of the SDK's tests: the program that was built, and a state folder of their own."""

import os
import pathlib
import sys
import tempfile
import time
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
SOURCE = REPOSITORY / "sdk" / "python" / "src"
SLOW = float(os.environ.get("CASEMATE_TEST_SLOW", "1"))

os.environ["CASEMATE_BINARY"] = os.environ.get("CASEMATE") or str(REPOSITORY / "build" / "casemate")
for name in ("CASEMATE_URL", "CASEMATE_API_KEY", "CASEMATE_PYTHON"):
    os.environ.pop(name, None)
sys.path.insert(0, str(SOURCE))

import casemate  # noqa: E402


class Case(unittest.TestCase):
    """One embedded engine for all tests of a class."""

    maxDiff = 2000
    engine = casemate.EngineOptions(pool_size=2)

    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory(prefix="casemate-sdk-test-")
        cls.folder = pathlib.Path(cls._folder.name)
        os.chmod(cls.folder, 0o755)
        cls._former = os.environ.get("CASEMATE_STATE_DIR")
        os.environ["CASEMATE_STATE_DIR"] = str(cls.folder / "state")
        cls.sandbox = casemate.Sandbox(timeout=20, engine=cls.engine)

    @classmethod
    def tearDownClass(cls):
        cls.sandbox.close()
        casemate.stop_engines()
        os.environ.pop("CASEMATE_STATE_DIR")
        if cls._former is not None:
            os.environ["CASEMATE_STATE_DIR"] = cls._former
        cls._folder.cleanup()

    def eventually(self, look, seconds=10):
        """Fails unless `look()` becomes true in time."""
        end = time.monotonic() + seconds * SLOW
        while not look():
            self.assertLess(time.monotonic(), end, "it did not come to be")
            time.sleep(0.01)
