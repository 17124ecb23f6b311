#!/usr/bin/env python3
"""Environments of packages: built from an index once, found again, shared, verified, pruned; cold runs and warm
ones; what is refused, in whose words."""

import concurrent.futures
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support_environments import EnvironmentCase  # noqa: E402
import casemate  # noqa: E402
from engine import Engine  # noqa: E402
from wheels import Index, wheel  # noqa: E402


class Packages(EnvironmentCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        scripts = "[console_scripts]\ngreet = greeting:main\n"
        greeting = {"greeting/__init__.py": "import words\n\ndef main():\n    print('hello', words.VERSION)\n"}
        cls.serve(cls, wheel("greeting", "1.0", greeting, ["words>=2"], scripts), wheel("words", "1.0"),
                  wheel("words", "2.0"), wheel("words", "2.1"), wheel("other", "1.0", None, ["words<2"]))

    def test_a_run_builds_what_it_needs_once(self):
        name = self.requirements("greeting==1.0  # with what it needs\n")
        program = "import greeting, words, sys; result = [words.VERSION, greeting.__file__]"
        first = self.ok("--environment", name, "-c", program)
        self.assertEqual(first["result"][0], "2.1")
        built = self.built()
        self.assertIn("@sha256:", first["environment"])
        asked = len(self.index.requests)
        second = self.ok("--environment", name, "-c", program)
        self.assertEqual((second["environment"], self.built()), (first["environment"], built))
        self.assertEqual(len(self.index.requests), asked, "the second run asked the index again")
        by_hash = self.ok("--environment", "sha256:" + first["environment"].split(":")[-1], "-c", program)
        self.assertEqual(by_hash["result"], first["result"])

    def test_the_audit_record_has_the_hash(self):
        name = self.requirements("words==2.0")
        done = self.ok("--environment", name, "-c", "pass")
        shown = subprocess.run([casemate.BINARY, "audit", "show", done["id"], "--json"], env=self.env,
                               capture_output=True, text=True, check=True).stdout
        environment = json.loads(shown.splitlines()[0])["environment"]
        self.assertEqual(environment["name"], name)
        self.assertEqual(environment["sha256"], done["environment"].split(":")[-1])

    def test_no_pip_no_network_and_nothing_of_the_host(self):
        program = ("import importlib.util as u, os, glob\n"
                   "result = [u.find_spec('pip') is None, u.find_spec('words') is not None]\n"
                   "result += [not os.access(__import__('words').__file__, os.W_OK)]\n")
        done = self.ok("--environment", self.requirements("words"), "-c", program)
        self.assertEqual(done["result"], [True, True, True])
        pip = self.run_json("--environment", self.requirements("words"), "--", "python", "-m", "pip", "--version")
        self.assertEqual(pip["status"], "error", pip.tell())
        self.assertIn("No module named pip", pip["stderr"])

    def test_scripts_and_commands_have_the_packages(self):
        name = self.requirements("greeting")
        self.assertEqual(self.ok("--environment", name, "--", "greet")["stdout"], "hello 2.1\n")
        done = self.ok("--environment", name, "--", "python", "-c", "import greeting; greeting.main()")
        self.assertEqual(done["stdout"], "hello 2.1\n")

    def test_same_packages_are_one_environment(self):
        first = self.build(self.requirements("words==2.0"))
        second = self.build("packages:words>=2,<2.1")
        third = self.build(self.requirements("# another text\nWords == 2.0\n", "other.txt"))
        self.assertEqual({first["id"], second["id"]}, {third["id"]})
        self.assertEqual([w["name"] for w in first["wheels"]], ["words"])

    def test_an_index_of_html_pages_does_too(self):
        index = Index(self.index.projects, as_json=False)
        self.addCleanup(index.close)
        done = self.build("packages:words==1.0", "--index-url", index.url)
        self.assertEqual(done["wheels"][0]["version"], "1.0")

    def test_lock_show_verify_export_prune(self):
        name = self.requirements("greeting")
        built = self.build(name)
        lock = self.command("lock", name)
        self.assertIn("words==2.1", lock.stdout)
        path = self.place / "lock.txt"
        path.write_text(lock.stdout)
        self.assertEqual(self.build(f"lock:{path}")["id"], built["id"])
        self.assertIn(built["id"], self.command("show", built["id"][:12]).stdout)
        self.assertIn(built["id"][:12], self.command("list").stdout)
        first, second = self.place / "a.tar", self.place / "b.tar"
        for target in (first, second):
            self.assertEqual(self.command("export", name, "-o", target).returncode, 0)
        self.assertEqual(first.read_bytes(), second.read_bytes())
        self.assertEqual(self.command("verify", name).returncode, 0)
        victim = next((self.state / "environments/store").glob(f"{built['id'][:32]}/venv/lib/*/*/words/__init__.py"))
        os.chmod(victim, 0o644)
        victim.write_text("VERSION = 'changed'")
        broken = self.command("verify", name)
        self.assertEqual(broken.returncode, 1)
        self.assertIn("words/__init__.py", broken.stdout)
        self.assertEqual(self.command("prune", "--all").returncode, 0)
        self.assertEqual(self.built(), [])
        again = self.ok("--environment", name, "-c", "import words; result = words.VERSION")
        self.assertEqual(again["result"], "2.1")

    def test_says_what_cannot_be_had_in_the_resolvers_words(self):
        said = self.refused(self.requirements("nosuchpackage"))
        self.assertIn("nosuchpackage", said)
        self.assertIn("only wheels count", said)
        said = self.refused(self.requirements("greeting\nother\n"))
        self.assertIn("words", said)
        self.assertIn("conflict", said)
        self.assertNotIn("Traceback", said)
        done = self.run_json("--environment", self.requirements("words==9"), "-c", "pass")
        self.assertEqual(done["status"], "rejected", done.tell())
        self.assertIn("words==9", done["error"]["message"])

    def test_refuses_what_would_run_code_or_ask_others(self):
        for line in ("-e .", "./here", "git+https://example.invalid/x", "x @ file:///x.tar.gz", "/etc/passwd",
                     "--index-url http://127.0.0.1:1/", "--no-binary :all:", "x.tar.gz", "words --config-settings a=b"):
            said = self.refused(self.requirements(f"words\n{line}\n"))
            self.assertIn("requirements.txt:2", said, line)

    def test_source_is_never_built(self):
        marker = self.place / "ran"
        data = source_package("sourceonly", f"open({str(marker)!r}, 'w').close()")
        self.index.projects["sourceonly"] = {"sourceonly-1.0.tar.gz": data}
        self.assertIn("only wheels count", self.refused("packages:sourceonly"))
        # A wheel that depends on source by its address: pip would build it, were it able to start anything.
        address = f"sourceonly @ {self.index.url.replace('simple/', 'files/sourceonly/sourceonly-1.0.tar.gz')}"
        self.serve(wheel("leads", "1.0", None, [address]))
        self.refused("packages:leads")
        self.assertFalse(marker.exists(), "code of a package ran outside of a sandbox")

    def test_a_wrong_hash_is_refused(self):
        name, data = wheel("liar", "1.0")
        self.serve((name, data))
        self.index.lies.add(name)
        self.assertIn("hash", self.refused("packages:liar").lower())
        said = self.refused(self.requirements(f"words==2.0 --hash=sha256:{'1' * 64}\n"))
        self.assertIn("hash", said.lower())

    def test_rules_for_packages(self):
        self.assertIn("denied", self.refused("packages:greeting", "--deny", "wor*"))
        self.assertIn("not among those", self.refused("packages:greeting", "--allow", "greeting"))
        rules = self.place / "rules"
        rules.write_text("deny words  # for the test\n")
        env = dict(self.env, CASEMATE_PACKAGES=str(rules))
        self.build("packages:greeting")
        self.assertIn("deny words", self.refused("packages:greeting", env=env))

    def test_concurrent_builds_build_once(self):
        self.serve(wheel("crowd", "1.0"))
        asked = len(self.index.requests)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            ids = {one["id"] for one in pool.map(lambda _: self.build("packages:crowd"), range(4))}
        self.assertEqual(len(ids), 1)
        files = [path for path in self.index.requests[asked:] if path.endswith(".whl")]
        self.assertEqual(len(files), 1, files)

    def test_a_killed_build_leaves_nothing_that_looks_finished(self):
        self.serve(wheel("slow", "1.0", {f"slow/m{i}.py": f"x = {i}\n" * 300 for i in range(400)}))
        before = self.built()
        for delay in (0.05, 0.4, 0.8, 1.2):
            build = subprocess.Popen([casemate.BINARY, "env", "build", "-q", "packages:slow"], env=self.env,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            build.send_signal(signal.SIGKILL)
            if build.wait() == 0:
                break
            for one in set(self.built()) - set(before):
                self.assertEqual(self.command("verify", one).returncode, 0)
        built = self.build("packages:slow")
        self.assertEqual(self.command("verify", built["id"]).returncode, 0)
        # The last one may have been killed with nothing but its folder left to remove, which the next one that needs a
        # folder does, once what it had started is gone too.
        for number in range(20):
            self.serve(wheel(f"after{number}", "1.0", {f"after{number}.py": ""}))
            self.build(f"packages:after{number}")
            left = os.listdir(self.state / "environments" / "staging")
            if not left:
                break
            time.sleep(0.1)
        self.assertEqual(left, [])

    def test_warm_cells_have_the_packages(self):
        name = self.requirements("greeting")
        self.build(name, "--preload", "greeting")
        engine = Engine(self.place / "socket", self.env, "--preload", "json", "--pool-size", "2")
        self.addCleanup(engine.end)
        program = "import sys; result = ['greeting' in sys.modules]; import words; result += [words.VERSION]"
        for _ in range(50):
            done = self.ok("--engine", engine.path, "--environment", name, "-c", program)
            if done["result"][0]:
                break
            time.sleep(0.2)
        self.assertEqual(done["result"], [True, "2.1"], done.tell())
        host = self.ok("--engine", engine.path, "-c", "import sys; result = 'greeting' in sys.modules")
        self.assertFalse(host["result"])

    def test_an_environment_in_use_is_not_pruned(self):
        self.serve(wheel("busy", "1.0"))
        built = self.build("packages:busy")
        run = subprocess.Popen([casemate.BINARY, "run", "--environment", "packages:busy", "-c",
                                "import time, busy; print('up', flush=True); time.sleep(20)"],
                               env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.assertEqual(run.stdout.readline(), b"up\n")
        done = self.command("prune", built["id"][:16])
        run.send_signal(signal.SIGINT)
        run.communicate()
        self.assertEqual((done.returncode, built["id"][:32] in self.built()), (1, True), done.stdout)
        self.assertEqual(self.command("prune", built["id"][:16]).returncode, 0)

    def test_pyproject(self):
        path = self.place / "pyproject.toml"
        path.write_text('[project]\nname = "x"\nversion = "1"\ndependencies = ["words>=2,<2.1"]\n')
        self.assertEqual(self.build(f"pyproject:{self.place}")["wheels"][0]["version"], "2.0")
        path.write_text('[project]\nname = "x"\ndynamic = ["dependencies"]\n')
        self.assertIn("project.dependencies", self.refused(f"pyproject:{path}"))

    def test_uv_lock(self):
        if shutil.which("uv") is None:
            path = self.place / "uv.lock"
            path.write_text("version = 1\n")
            self.assertIn("pip install uv", self.refused(f"lock:{path}"))
            return
        path = self.place / "pyproject.toml"
        path.write_text('[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.9"\n'
                        'dependencies = ["greeting"]\n')
        subprocess.run(["uv", "lock", "--default-index", self.index.url, "--project", str(self.place)], check=True,
                       capture_output=True, env=self.env)
        built = self.build(f"lock:{self.place}")
        self.assertEqual([w["name"] for w in built["wheels"]], ["greeting", "words"])


class RealIndex(EnvironmentCase):
    def test_the_registry_that_pip_is_set_up_for(self):
        env = {k: v for k, v in self.env.items() if k not in ("PIP_INDEX_URL", "PIP_CONFIG_FILE")}
        done = self.command("build", "--json", "packages:six==1.16.0", env=env, timeout=200)
        if done.returncode != 0:
            self.skipTest(f"no package registry answers here: {done.stderr.strip()[:200]}")
        run = self.ok("--environment", "packages:six==1.16.0", "-c", "import six; result = six.__version__", env=env)
        self.assertEqual(run["result"], "1.16.0")


def source_package(name, setup):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        script = f"{setup}\nfrom setuptools import setup\nsetup(name={name!r}, version='1.0')\n"
        for path, text in (("setup.py", script), ("PKG-INFO", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")):
            member = tarfile.TarInfo(f"{name}-1.0/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


if __name__ == "__main__":
    unittest.main(verbosity=2)
