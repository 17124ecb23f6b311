#!/usr/bin/env python3
"""The docker tier against a real Docker Engine of this test's own: conformance, images without a registry, and what
comes of a run when the engine is hung, dead, restarted, refused or too old. Nothing is pulled from anywhere."""

import contextlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
import engine as resident  # noqa: E402
import python_root  # noqa: E402
from docker_engine import Engine, Registry, Unavailable  # noqa: E402

SKIPPED = 77
DOCKER_TEST = os.environ.get("CASEMATE_DOCKER_TEST", "")
TLS_CODE = "print('x' * 100_000); open('f', 'w').write('y' * 70_000); result = INPUT_DATA"
SLEEP = "import time; print('up', flush=True); time.sleep(60)"


class DockerTier(unittest.TestCase):
    engine = None
    folder = None
    python = None

    def environment(self, host=None, tls=False):
        state, where = str(self.folder / "state"), self.engine.tls_host if tls else self.engine.host
        changes = {"DOCKER_CERT_PATH": str(self.engine.certificates)} if tls else {}
        return casemate.environment(
            CASEMATE_STATE_DIR=state, DOCKER_HOST=host or where, CASEMATE_PYTHON=self.python, **changes
        )

    def run_json(self, *arguments, host=None, tls=False, deadline=120):
        flags = ["--no-engine", "--isolation", "docker", *arguments]
        return casemate.run_json(*flags, env=self.environment(host, tls), deadline=deadline)

    def containers(self):
        listed = self.engine.docker("ps", "-a", "-q", "--filter", "label=casemate.run")
        return listed.stdout.decode().split()

    def assert_nothing_left(self):
        self.assertFalse(casemate.settle(self.containers, 10))

    @contextlib.contextmanager
    def running(self, *flags):
        """A run that has begun and sleeps."""
        words = ["run", "--json", "--no-engine", "--isolation", "docker", *flags, "-c", SLEEP]
        run = casemate.start(words, env=self.environment(), stdout=subprocess.PIPE)
        try:
            late = casemate.settle(lambda: not self.containers(), 30)
            self.assertFalse(late, "no container")
            time.sleep(1)
            yield run
        finally:
            if run.poll() is None:
                run.kill()
            casemate.finish(run)
            run.stdout.close()

    def answer(self, run, deadline=40):
        out, _ = run.communicate(timeout=deadline)
        return json.loads(out)

    def test_1_a_program_runs_in_our_own_image(self):
        code = "import os, sys; print('out'); print('err', file=sys.stderr); open('f', 'w').write('x')\n"
        code += "result = {'n': INPUT_DATA + 1, 'uid': os.getuid()}"
        done = self.run_json("--input", "41", "--collect", "*", "-c", code, deadline=300)
        self.assertEqual((done["status"], done["stdout"], done["stderr"]), ("ok", "out\n", "err\n"), done.tell())
        self.assertEqual((done["result"]["n"], done["result"]["uid"]), (42, 1000))
        self.assertEqual([(file["name"], file["size_bytes"]) for file in done["files"]], [("f", 1)])
        self.assertEqual(done["isolation"]["tier"], "docker")
        self.assertGreater(done["usage"]["memory_peak_bytes"], 1 << 20)
        no_pip = self.run_json("-c", "import importlib.util; result = importlib.util.find_spec('pip') is None")
        self.assertEqual(no_pip["result"], True, no_pip.tell())
        self.assert_nothing_left()

    def test_2_secrets_reach_the_program_alone(self):
        env = dict(self.environment(), CASEMATE_TEST_SECRET="swordfish-4711-xyz")
        words = ["--no-engine", "--isolation", "docker", "--secret", "TOKEN=env:CASEMATE_TEST_SECRET"]
        words += ["--secret", "token.txt:file=env:CASEMATE_TEST_SECRET"]
        code = "import os; a, b = os.environ['TOKEN'], open('/run/secrets/token.txt').read(); result = [a == b, len(a)]"
        done = casemate.run_json(*words, "-c", code, env=env)
        self.assertEqual(done["result"], [True, 18], done.tell())
        kept = subprocess.run(
            ["grep", "-rl", "swordfish-4711", str(self.engine.folder)], capture_output=True, check=False
        )
        self.assertEqual(kept.stdout, b"")

    def in_image(self, environment, *flags):
        code = "import os, sys; result = [sys.version_info[1], os.path.exists('/usr/bin/env'), 2 + INPUT_DATA]"
        done = casemate.run_json("--no-engine", *flags, "--environment", environment, "--input", "40", "-c", code,
                                 env=self.environment(), deadline=300)
        self.assertEqual(done["result"], [11, False, 42], done.tell())

    @unittest.skipUnless(python_root.is_here(), "Debian's Python 3.11 is not here to be copied")
    def test_2_images_by_name(self):
        """An image that the engine has, one that it must pull, and one that nobody needs an engine for."""
        root = python_root.make(self.folder / "root")
        packed = subprocess.run(["tar", "-C", root, "-c", "."], capture_output=True, check=True).stdout
        self.assertEqual(self.engine.docker("import", "-", "with-python", given=packed).returncode, 0)
        self.in_image("docker:with-python", "--isolation", "docker")
        if shutil.which("docker-registry") is None:
            self.skipTest("docker-registry is not installed")
        with Registry(self.folder / "registry") as registry:
            name = f"{registry.address}/with-python:1"
            for words in (["tag", "with-python", name], ["push", name]):
                done = self.engine.docker(*words)
                self.assertEqual(done.returncode, 0, done.stderr)
            listed = self.engine.docker("inspect", "--format", "{{index .RepoDigests 0}}", name).stdout
            self.engine.docker("rmi", "--force", name, "with-python")
            self.in_image(f"docker:{name}", "--isolation", "docker")
            if shutil.which("skopeo") is not None:
                self.in_image(f"registry:{listed.decode().strip()}", "--isolation", "container")
        done = self.run_json("--environment", f"docker:{registry.address}/nothing:1", "-c", "pass")
        self.assertIn("nor can pull it", done["error"]["message"], done.tell())

    @unittest.skipUnless(python_root.is_here(), "Debian's Python 3.11 is not here to be copied")
    def test_2_packages_of_an_environment_are_all_there_is(self):
        """The host's own packages can lie within its interpreter's folder; in the image that place is empty."""
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            prefix = python_root.make(f"{folder}/root") / "usr"
            packages = prefix / f"lib/{python_root.PYTHON}/dist-packages"
            packages.mkdir(exist_ok=True)
            (packages / "planted.py").write_text("")
            (self.folder / "none.txt").write_text("")
            code = "import os, sys; result = os.listdir(f'{sys.base_prefix}/lib/python3.11/dist-packages')"
            env = dict(self.environment(), CASEMATE_STATE_DIR=f"{folder}/state",
                       CASEMATE_PYTHON=str(prefix / "bin" / python_root.PYTHON))
            for environment, hidden in (("host", False), (f"requirements:{self.folder}/none.txt", True)):
                done = casemate.run_json("--no-engine", "--isolation", "docker", "--environment", environment,
                                         "-c", code, env=env, deadline=300)
                self.assertEqual(done["status"], "ok", done.tell())
                self.assertEqual((done["result"] == [], "planted.py" in done["result"]), (hidden, not hidden))

    def test_3_every_limit_is_its_own_status(self):
        for status, flags, code in (
            ("timeout", ["--timeout", "500ms"], "import time; time.sleep(60)"),
            ("memory_limit", ["--memory", "64m"], "x = b'x' * 200_000_000"),
            ("cpu_limit", ["--cpu-time", "300ms"], "while True: pass"),
            ("output_limit", ["--stdout-limit", "1k"], "print('x' * 100_000)"),
            ("disk_limit", ["--tmp-size", "1m"], "open('big', 'wb').write(b'x' * 4_000_000)"),
            ("error", [], "raise SystemExit(3)"),
        ):
            done = self.run_json(*flags, "-c", code)
            self.assertEqual(done["status"], status, done.tell())
        self.assert_nothing_left()

    @staticmethod
    def ready(serving):
        pools = serving.health()["pools"]
        return sum(pool["cells_ready"] for pool in pools if pool["environment"].endswith("(docker)"))

    def test_3_warm_containers_are_used_once(self):
        socket = str(self.folder / "engine.sock")
        serving = resident.Engine(socket, self.environment())
        try:
            code = "import os; result = os.listdir('/tmp'); open('/tmp/left', 'w')"
            words = ["--engine", socket, "--isolation", "docker", "-c", code]
            steps = []
            for _ in range(3):
                done = casemate.run_json(*words, env=self.environment())
                self.assertEqual((done["status"], done["result"]), ("ok", []), done.tell())
                steps.append({timing["step"] for timing in done["timings"]})
                self.assertFalse(casemate.settle(lambda: not self.ready(serving), 30))
            self.assertIn("docker.create", steps[0])
            self.assertIn("docker.take", steps[2])
            limited = casemate.run_json("--memory", "64m", *words, env=self.environment())
            self.assertEqual(limited["status"], "ok", limited.tell())
            self.assertNotIn("docker.take", {timing["step"] for timing in limited["timings"]})
        finally:
            serving.end()
        self.assert_nothing_left()

    def test_3_over_tls(self):
        done = self.run_json("--input", "5", "--collect", "f", "-c", TLS_CODE, tls=True)
        self.assertEqual((done["status"], done["result"]), ("ok", 5), done.tell())
        self.assertEqual((len(done["stdout"]), done["files"][0]["size_bytes"]), (100_001, 70_000))
        self.assertIn("cpu_time", {gap["guarantee"] for gap in done["isolation"]["not_enforced"]})
        for status, flags, code in (
            ("memory_limit", ["--memory", "64m"], "x = b'x' * 200_000_000"),
            ("timeout", ["--timeout", "500ms"], "while True: pass"),
            ("unavailable", ["--workspace", "/usr:ro"], "pass"),
        ):
            done = self.run_json(*flags, "-c", code, tls=True)
            self.assertEqual(done["status"], status, done.tell())
        stranger = self.run_json("-c", "pass", host=self.engine.tls_host)
        self.assertEqual(stranger["status"], "unavailable", stranger.tell())

    def test_4_a_killed_casemate_leaves_nothing(self):
        with self.running() as run:
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            self.assert_nothing_left()

    def test_5_leftovers_are_collected(self):
        owner = f"{pathlib.Path('/proc/sys/kernel/random/boot_id').read_text().strip()} 1 0"
        image = self.engine.docker("images", "-q", "casemate/sandbox").stdout.decode().split()[0]
        labels = ["--label", "casemate.run=run-x", "--label", f"casemate.owner={owner}"]
        self.engine.docker("create", *labels, image, "/bin/true")
        self.assertEqual(len(self.containers()), 1)
        done = casemate.run(["gc", "--json"], env=self.environment())
        self.assertEqual(self.containers(), [], done.stdout)
        self.assertIn(b"container ", done.stdout)

    def test_6_a_hung_engine(self):
        with self.running("--timeout", "3s") as run:
            os.kill(self.engine.daemon.pid, signal.SIGSTOP)
            try:
                answer = self.answer(run)
            finally:
                os.kill(self.engine.daemon.pid, signal.SIGCONT)
        self.assertEqual(answer["status"], "timeout", answer)
        self.assert_nothing_left()

    def test_7_a_dead_engine(self):
        with self.running() as run:
            self.engine.daemon.kill()
            self.engine.daemon.wait()
            answer = self.answer(run)
        self.assertEqual(answer["status"], "failed", answer)
        self.assertTrue(answer["error"]["message"])
        refused = self.run_json("-c", "pass")
        self.assertEqual(refused["status"], "unavailable", refused.tell())
        self.assertIn("no Docker Engine answers", refused["error"]["message"])
        self.engine.sweep()
        self.engine.start()
        casemate.run(["gc"], env=self.environment())
        self.assert_nothing_left()
        self.assertEqual(self.run_json("-c", "result = 1")["result"], 1)

    def test_8_an_engine_that_answers_wrongly(self):
        for replies, words in (
            ({"/version": (200, {"ApiVersion": "1.24", "MinAPIVersion": "1.12"})}, "update it"),
            ({"/version": (200, ["no", "engine"])}, "does not answer"),
            ({"/version": (500, {"message": "out of order"})}, "does not answer"),
            ({"/version": (200, {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Os": "linux"})}, "not ready"),
        ):
            with fake_engine(self.folder / "fake.sock", replies):
                done = self.run_json("-c", "pass", host=f"unix://{self.folder}/fake.sock")
            self.assertEqual(done["status"], "unavailable", done.tell())
            self.assertIn(words, done["error"]["message"])
        for host in ("tcp://", "ftp://x", "unix://relative"):
            self.assertEqual(self.run_json("-c", "pass", host=host)["status"], "rejected")
        done = self.run_json("-c", "pass", host=f"unix://{self.folder}")
        self.assertEqual(done["status"], "unavailable", done.tell())

    @unittest.skipUnless(DOCKER_TEST, "CASEMATE_DOCKER_TEST does not name the tier's own test program")
    def test_9_conformance(self):
        env = dict(os.environ, CASEMATE_TEST_DOCKER_HOST=self.engine.host)
        done = subprocess.run([DOCKER_TEST], env=env, capture_output=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace")[-3000:])
        self.assertIn(b"[       OK ] Conformance/Docker.RunsSideBySide", done.stdout)

    def test_9_escapes(self):
        runner = pathlib.Path(__file__).resolve().parents[1] / "escapes/runner.py"
        chosen = ["files/proc_", "files/overwrite", "files/symlinks", "channels/forge", "kill_init", "identity/capab"]
        chosen += ["network/outside", "egress/through", "kernel/namespaces", "honesty/kill_itself", "harmless/signals"]
        words = [sys.executable, str(runner), "--tier", "docker", "--jobs", "2"]
        for name in chosen:
            words += ["--filter", name]
        done = subprocess.run(words, env=self.environment(), capture_output=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace")[-3000:])


@contextlib.contextmanager
def fake_engine(path, replies):
    class Handler(http.server.BaseHTTPRequestHandler):
        def address_string(self):
            return "unix"

        def log_message(self, *_arguments):
            pass

        def do_GET(self):
            status, body = replies.get(self.path, (503, {"message": "not now"}))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    path.unlink(missing_ok=True)
    with socketserver.UnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def main():
    casemate.require_binary()
    # A virtual environment has a place where sandboxes have nothing of their own, as /tmp is.
    place = os.path.dirname(os.path.realpath(casemate.BINARY))
    with casemate.scratch("docker_tier") as folder, tempfile.TemporaryDirectory(dir=place) as environment:
        try:
            with Engine(folder) as engine:
                DockerTier.engine, DockerTier.folder = engine, pathlib.Path(folder)
                # Without packages: an image that is small.
                venv = ["/usr/bin/python3", "-m", "venv", "--without-pip", environment]
                subprocess.run(venv, check=True)
                DockerTier.python = f"{environment}/bin/python"
                program = unittest.main(exit=False)
                return 0 if program.result.wasSuccessful() else 1
        except Unavailable as reason:
            print(f"skipped: no Docker Engine can be started here: {reason}")
            return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
