#!/usr/bin/env python3
"""The embedded engine's life: started when it is needed, shared, restarted, gone with its process however it ends."""

import asyncio
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest

from sdk_case import SOURCE, Case

import casemate
from casemate import _embedded


def engine_pid(options):
    return _embedded.shared(options).pid


def is_alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] not in "ZX"


class Life(Case):
    def setUp(self):
        self.temporary = tempfile.mkdtemp(dir=self.folder)

    def script(self, text, **options):
        """A process of its own that uses the SDK; its first line of output is the engine's process id."""
        begin = ("import os, sys, signal, casemate\nfrom casemate import _embedded\nsandbox = casemate.Sandbox()\n"
                 "assert sandbox.run('result = 1').result == 1\n"
                 "print(_embedded.shared(casemate.EngineOptions()).pid, flush=True)\n")
        env = {**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": self.temporary}
        return subprocess.Popen([sys.executable, "-c", begin + textwrap.dedent(text)], env=env, text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def assert_nothing_left(self, pid):
        self.eventually(lambda: not is_alive(pid))
        self.eventually(lambda: os.listdir(self.temporary) == [])

    def test_starts_with_the_first_run_and_is_shared(self):
        options = casemate.EngineOptions(pool_size=1)
        first, second = casemate.Sandbox(engine=options), casemate.Sandbox(engine=options)
        self.assertIsNone(engine_pid(options))
        first.run("pass")
        pid = engine_pid(options)
        second.run("pass")
        first.close()
        second.run("pass")
        self.assertEqual(engine_pid(options), pid)
        casemate.stop_engines()
        self.assertFalse(is_alive(pid))
        self.assertEqual(second.run("result = 1").result, 1)

    def test_ends_with_its_process(self):
        process = self.script("print(len(os.listdir(os.environ['TMPDIR'])))")
        out, err = process.communicate(timeout=60)
        pid, folders = out.split()
        self.assertEqual((process.returncode, folders, err), (0, "1", ""))
        self.assertFalse(is_alive(int(pid)))
        self.assertEqual(os.listdir(self.temporary), [])

    def test_ends_with_its_process_by_sigkill_in_the_middle_of_a_run(self):
        process = self.script("""
            import threading
            def kill(text): os.kill(os.getpid(), signal.SIGKILL)
            sandbox.run("import time; print('on', flush=True); time.sleep(60)", timeout=60, on_stdout=kill)
        """)
        out, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, -signal.SIGKILL)
        self.assert_nothing_left(int(out))

    def test_ends_with_its_process_by_a_fatal_signal_and_by_exit(self):
        for text in ("os.kill(os.getpid(), signal.SIGTERM)", "os._exit(3)"):
            process = self.script(text)
            out, _ = process.communicate(timeout=60)
            self.assertNotEqual(process.returncode, 0)
            self.assert_nothing_left(int(out))

    def test_a_thread_that_ends_does_not_take_it_along(self):
        process = self.script("""
            import threading
            casemate.stop_engines()
            thread = threading.Thread(target=lambda: sandbox.run("pass"))
            thread.start(); thread.join()
            pid = _embedded.shared(casemate.EngineOptions()).pid
            import time; time.sleep(0.2)
            assert sandbox.run("result = 1").result == 1
            assert _embedded.shared(casemate.EngineOptions()).pid == pid
        """)
        _, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, err), (0, ""))

    def test_survives_a_ctrl_c_that_its_process_handles(self):
        process = self.script("""
            try:
                print("ready", flush=True)
                sandbox.run("import time; time.sleep(60)", timeout=60)
            except KeyboardInterrupt:
                print(sandbox.run("result = 'goes on'").result)
        """, start_new_session=True)
        process.stdout.readline(), process.stdout.readline()
        self.eventually(lambda: pathlib.Path(f"/proc/{process.pid}/wchan").exists())
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual((out, process.returncode), ("goes on\n", 0), err)

    def test_child_of_fork_has_an_engine_of_its_own(self):
        process = self.script("""
            mine = _embedded.shared(casemate.EngineOptions()).pid
            child = os.fork()
            if child == 0:
                assert sandbox.run("result = 2").result == 2
                assert _embedded.shared(casemate.EngineOptions()).pid != mine
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert sandbox.run("result = 3").result == 3
            assert _embedded.shared(casemate.EngineOptions()).pid == mine
            # One that stays does not keep it alive.
            if os.fork() == 0:
                import time; time.sleep(60)
            print("killed", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """, start_new_session=True)
        try:
            pid = int(process.stdout.readline())
            self.assertEqual(process.stdout.readline(), "killed\n", process.stderr)
            process.wait(60)
            self.eventually(lambda: not is_alive(pid))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.stdout.close(), process.stderr.close(), process.stdin.close()

    def test_a_killed_one_is_started_anew(self):
        self.sandbox.run("pass")
        os.kill(engine_pid(self.engine), signal.SIGKILL)
        self.eventually(lambda: engine_pid(self.engine) is None)
        self.assertEqual(self.sandbox.run("result = 1").result, 1)

    def test_one_that_goes_away_during_a_run_is_told(self):
        def kill(_):
            os.kill(engine_pid(self.engine), signal.SIGKILL)

        with self.assertRaises(casemate.ConnectionLost) as raised:
            self.sandbox.run("import time; print('on', flush=True); time.sleep(60)", timeout=60, on_stdout=kill)
        self.assertTrue(raised.exception.may_have_run)
        self.eventually(lambda: engine_pid(self.engine) is None)

    def test_one_that_cannot_start_says_why(self):
        for options in (casemate.EngineOptions(preload=("no/such",)), casemate.EngineOptions(pool_size=-1)):
            with self.assertRaises(casemate.EngineStartError) as raised:
                casemate.Sandbox(engine=options).run("pass")
            self.assertIn("--p", str(raised.exception))

    def test_program_that_is_not_there(self):
        former = os.environ["CASEMATE_BINARY"]
        os.environ["CASEMATE_BINARY"] = "/no/such/casemate"
        self.addCleanup(os.environ.__setitem__, "CASEMATE_BINARY", former)
        with self.assertRaises(casemate.EngineStartError):
            casemate.Sandbox(engine=casemate.EngineOptions(pool_size=3)).run("pass")

    def test_program_by_a_relative_path(self):
        former = os.environ["CASEMATE_BINARY"]
        os.environ["CASEMATE_BINARY"] = os.path.relpath(former)
        self.addCleanup(os.environ.__setitem__, "CASEMATE_BINARY", former)
        options = casemate.EngineOptions(pool_size=5)
        self.assertEqual(casemate.Sandbox(engine=options).run("result = 1").result, 1)

    def test_a_server_that_is_named(self):
        self.sandbox.run("pass")
        path = _embedded.shared(self.engine).find().unix_path
        self.assertEqual(casemate.Sandbox(url=f"unix:{path}").run("result = 1").result, 1)
        os.environ["CASEMATE_URL"] = f"unix://{path}"
        self.addCleanup(os.environ.pop, "CASEMATE_URL")
        self.assertEqual(casemate.Sandbox().run("result = 2").result, 2)
        with self.assertRaises(casemate.ConnectionFailed) as raised:
            casemate.Sandbox(url="unix:/no/such.sock").run("pass")
        self.assertFalse(raised.exception.may_have_run)

    def test_a_server_over_tls_with_answers_of_every_length(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out",
                        "cert.pem", "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                       cwd=self.folder, check=True, capture_output=True)
        binary = os.environ["CASEMATE_BINARY"]
        key = subprocess.run([binary, "keys", "add", "tls", "--scopes", "run"], check=True, capture_output=True,
                             text=True).stdout.strip()
        server = subprocess.Popen([binary, "serve", "--socket", str(self.folder / "tls.sock"), "--listen",
                                   "127.0.0.1:0", "--tls-cert", str(self.folder / "cert.pem"), "--tls-key",
                                   str(self.folder / "key.pem")], stderr=subprocess.PIPE, text=True)
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        said = ""
        while not (listens := re.search(r"127\.0\.0\.1:(\d+)", said)):
            line = server.stderr.readline()
            self.assertTrue(line, f"the server ended: {said}")
            said += line
        port = listens[1]
        os.environ["SSL_CERT_FILE"] = str(self.folder / "cert.pem")
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE")
        lengths = (3, 16_000, 65_536, 300_000, 5)

        async def all_of_them():
            async with casemate.AsyncSandbox(url=f"https://localhost:{port}", api_key=key) as sandbox:
                return [(await sandbox.run(f"result = 'x' * {length}")).result for length in lengths]

        self.assertEqual(asyncio.run(all_of_them()), ["x" * length for length in lengths])
        with casemate.Sandbox(url=f"https://localhost:{port}", api_key=key) as sandbox:
            for length in lengths:
                self.assertEqual(sandbox.run(f"result = 'x' * {length}").result, "x" * length)

    def test_long_temporary_folder(self):
        folder = os.path.join(self.temporary, "x" * 90)
        os.mkdir(folder)
        former = tempfile.tempdir
        tempfile.tempdir = folder
        try:
            options = casemate.EngineOptions(pool_size=0)
            self.assertEqual(casemate.Sandbox(engine=options).run("result = 1").result, 1)
        finally:
            tempfile.tempdir = former


if __name__ == "__main__":
    unittest.main()
