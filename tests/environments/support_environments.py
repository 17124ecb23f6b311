"""What the tests of environments share: a state folder outside of /tmp, an index, `casemate env`."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import casemate  # noqa: E402
from wheels import Index  # noqa: E402


class EnvironmentCase(unittest.TestCase):
    maxDiff = 3000

    @classmethod
    def setUpClass(cls):
        casemate.require_binary()
        # Each sandbox has a /tmp of its own, so that environments cannot lie there.
        cls._folder = tempfile.TemporaryDirectory(prefix="casemate-env-", dir="/var/tmp")
        cls.folder = pathlib.Path(cls._folder.name)
        os.chmod(cls.folder, 0o755)
        cls.state = cls.folder / "state"
        cls.state.mkdir()
        cls.index = Index({})
        cls.env = casemate.environment(CASEMATE_STATE_DIR=str(cls.state), PIP_INDEX_URL=cls.index.url,
                                       PIP_CACHE_DIR=str(cls.folder / "pip"), PIP_CONFIG_FILE=os.devnull)
        for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "CASEMATE_PACKAGES"):
            cls.env.pop(name, None)

    @classmethod
    def tearDownClass(cls):
        cls.index.close()
        cls._folder.cleanup()

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(dir=self.folder))

    def serve(self, *wheels):
        for name, data in wheels:
            self.index.projects.setdefault(name.split("-")[0].replace("_", "-").lower(), {})[name] = data

    def requirements(self, text, name="requirements.txt"):
        path = self.place / name
        path.write_text(text, encoding="utf-8")
        return f"requirements:{path}"

    def command(self, *words, env=None, timeout=300):
        return subprocess.run([casemate.BINARY, "env", *map(str, words)], env=env or self.env, timeout=timeout,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def build(self, name, *flags, **options):
        done = self.command("build", "--json", *flags, name, **options)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return json.loads(done.stdout)

    def refused(self, name, *flags, **options):
        """The one sentence with which a build is refused; nothing that looks finished may be left."""
        before = self.built()
        done = self.command("build", *flags, name, **options)
        self.assertEqual((done.returncode, done.stdout), (126, ""), done.stderr + done.stdout)
        self.assertTrue(done.stderr.startswith("casemate: "), done.stderr)
        self.assertEqual(self.built(), before)
        return done.stderr

    def built(self):
        store = self.state / "environments" / "store"
        return sorted(os.listdir(store)) if store.exists() else []

    def run_json(self, *arguments, env=None):
        return casemate.run_json(*arguments, env=env or self.env)

    def ok(self, *arguments, **options):
        done = self.run_json(*arguments, **options)
        self.assertEqual(done["status"], "ok", done.tell())
        return done
