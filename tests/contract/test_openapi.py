#!/usr/bin/env python3
"""GET /openapi.json is true: a tester that makes requests of it, right and wrong ones, finds no answer that it does
not tell of."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402
from http_api import HttpEngine, add_key  # noqa: E402

REQUIREMENTS = pathlib.Path(__file__).with_name("http_requirements.txt")
CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
          "negative_data_rejection,unsupported_method")
# A fixed seed, so that the same requests are made each time; bench/ and longer hunts take others.
SEED = "9"
# What answers 501 and why, whatever is asked: to the tester any 5xx is a fault.
REFUSED = "/hibernate$"


def tester():
    """The program `st` of a virtual environment beside the build."""
    folder = pathlib.Path(casemate.BINARY).resolve().parent / "http-venv"
    stamp = folder / "requirements.txt"
    wanted = REQUIREMENTS.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "-r",
                        str(REQUIREMENTS)], check=True)
        stamp.write_text(wanted)
    return str(folder / "bin" / "st")


class OpenApi(Case):
    def test_every_answer_is_as_described(self):
        key = add_key(self.env, "tester", "--scopes", "run,batch,sessions,checks,redact,audit,metrics,environments")
        engine = HttpEngine(self.place / "engine.sock", self.env)
        self.addCleanup(engine.end)
        url = f"http://127.0.0.1:{engine.port}"
        done = subprocess.run(
            [tester(), "run", url + "/openapi.json", "--header", f"Authorization: Bearer {key}", "--seed", SEED,
             "--max-examples", "5", "--phases", "examples,coverage,fuzzing", "--checks", CHECKS,
             "--exclude-path-regex", REFUSED,
             "--generation-database", "none", "--suppress-health-check", "all", "--no-color"],
            cwd=self.place, capture_output=True, text=True, timeout=300 * casemate.SLOW, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-1000:])
        # All but the description itself.
        paths = json.loads(engine.ask_tcp("GET", "/openapi.json")[2])["paths"]
        count = sum(len(methods) for methods in paths.values()) - 1
        refused = sum(bool(re.search(REFUSED, path)) for path in paths)
        self.assertIn(f"{count - refused} selected / {count} total", done.stdout)
        self.assertEqual(engine.health()["status"], "ok")

    def test_every_route_needs_a_key_unless_it_says_so(self):
        add_key(self.env, "k")
        engine = HttpEngine(self.place / "engine.sock", self.env)
        self.addCleanup(engine.end)
        paths = json.loads(engine.ask_tcp("GET", "/openapi.json")[2])["paths"]
        for path, methods in paths.items():
            for method, operation in methods.items():
                status = engine.ask_tcp(method.upper(), path.replace("{id}", "x").replace("{path}", "y"), b"{}")[0]
                self.assertEqual(status == 401, "security" not in operation, (method, path, status))


if __name__ == "__main__":
    casemate.die_with_tests()
    unittest.main(verbosity=2)
