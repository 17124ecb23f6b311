#!/usr/bin/env python3
"""Sessions at the resident engine's socket: state, results, limits, interrupts, what survives what, files, forks."""

import json
import os
import pathlib
import signal
import sys
import textwrap
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine, UnixConnection  # noqa: E402

NEVER_ENDS = "import time\nwhile True:\n    try: time.sleep(60)\n    except KeyboardInterrupt: pass"


class Session:
    def __init__(self, engine, **options):
        self.engine = engine
        status, self.info = self._ask("POST", "", options)
        assert status == 201, self.info
        self.id = self.info["id"]

    @classmethod
    def known(cls, engine, info):
        session = cls.__new__(cls)
        session.engine, session.info, session.id = engine, info, info["id"]
        return session

    def _ask(self, method, path, body=None):
        status, answer = self.engine.ask(method, f"/v1/sessions{path}", None if body is None else json.dumps(body))
        return status, json.loads(answer) if answer else None

    def ask(self, method, path="", body=None):
        return self._ask(method, f"/{self.id}{path}", body)

    def run(self, code, **step):
        status, result = self.ask("POST", "/run", {"code": code, **step})
        assert status == 200, (status, result)
        return result

    def value(self, code, **step):
        result = self.run(code, **step)
        assert result["status"] == "ok", result
        return result["result"]

    def state(self):
        return self.ask("GET")[1]["state"]

    def file(self, method, path, body=None, query=""):
        return self.engine.ask(method, f"/v1/sessions/{self.id}/files/{urllib.parse.quote(path)}{query}", body)

    def interrupt_soon(self, seconds=0.5):
        timer = threading.Timer(seconds * casemate.SLOW, self.ask, ("POST", "/interrupt", {}))
        timer.start()
        return timer


class WithEngine(Case):
    flags = ("--pool-size", "3")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        place = pathlib.Path(cls.folder) / "engine.sock"
        cls.engine = Engine(place, cls.env, *cls.flags)
        assert "serving at" in cls.engine.first_line, cls.engine.first_line

    @classmethod
    def tearDownClass(cls):
        code = cls.engine.end()
        super().tearDownClass()
        assert code == 0, code

    def open(self, **options):
        session = Session(self.engine, **options)
        self.addCleanup(session.ask, "DELETE")
        return session


class Steps(WithEngine):
    def test_keep_state_and_have_results_of_their_own(self):
        session = self.open(env={"WORD": "a b"}, name="mine")
        self.assertEqual((session.info["state"], session.info["name"]), ("idle", "mine"))
        session.run("import os, sys\nx = 1\ndef f(): return x\nfile = open('notes', 'w+')\n"
                    "os.mkdir('d'); os.chdir('d')")
        first = session.run("print('out'); print('err', file=sys.stderr)\nx += 1\nf()")
        self.assertEqual([first[name] for name in ("status", "result", "stdout", "stderr")],
                         ["ok", 2, "out\n", "err\n"])
        self.assertEqual((first["session"]["id"], first["session"]["step"]), (session.id, 2))
        second = session.run("file.write('kept'); file.seek(0)\n[file.read(), os.getcwd(), os.environ['WORD']]")
        self.assertEqual(second["result"], ["kept", "/workspace/d", "a b"])
        self.assertEqual((second["stdout"], second["displays"]), ("", []))
        self.assertEqual(session.value("INPUT_DATA['n'] + 1", input={"n": 1}), 2)
        self.assertIsNone(session.value("INPUT_DATA"))
        self.assertEqual(session.run("object()")["displays"][0]["text/plain"][:7], "<object")
        self.assertEqual(session.run("result = {1}")["status"], "result_invalid")
        self.assertEqual(session.run("result = 1", result_schema={"type": "string"})["status"], "result_invalid")
        self.assertEqual(session.ask("GET")[1]["steps"], 8)

    def test_have_events(self):
        session = self.open()
        status, body = self.engine.ask("POST", f"/v1/sessions/{session.id}/run", json.dumps({"code": "print(1)\n2"}),
                                       {"Accept": "application/x-ndjson"})
        events = [json.loads(line) for line in body.splitlines()]
        self.assertEqual((status, [event["event"] for event in events]),
                         (200, ["started", "stdout", "result", "finished"]))
        self.assertEqual(events[-1]["result"]["session"]["state"], "idle")

    def test_contexts_have_variables_of_their_own_in_one_interpreter(self):
        session = Session(self.engine)
        own = session.value("x = 1\nimport os\nos.getpid()")
        self.assertEqual(session.value("import os\nos.getpid()", context="a"), own)
        self.assertEqual(session.value("'x' in globals()", context="a"), False)
        session.value("x = 'of a'\nclass Point: pass", context="a")
        self.assertEqual(session.value("x, 'Point' in globals()"), [1, False])
        self.assertEqual(session.value("import pickle\npickle.loads(pickle.dumps(Point())).__class__ is Point",
                                       context="a"), True)
        # What modules, files and the working folder are, is theirs together.
        session.value("import json\njson.left = 'here'\nopen('f', 'w').write('text')", context="b")
        self.assertEqual(session.value("import json\n(json.left, open('f').read())", context="a"), ["here", "text"])
        session.value("from __future__ import annotations", context="b")
        self.assertEqual(session.value("def f(a: no_such): pass\nf.__annotations__", context="b"), {"a": "no_such"})
        self.assertEqual(session.run("def f(a: no_such): pass", context="a")["error"]["type"], "NameError")
        # A copy has them too.
        copy = Session.known(self.engine, session.ask("POST", "/fork", {})[1]["sessions"][0])
        self.assertEqual((copy.value("x", context="a"), copy.value("x")), ("of a", 1))
        copy.value("x = 'changed'", context="a")
        self.assertEqual(session.value("x", context="a"), "of a")

    def test_a_context_has_a_plain_name_and_is_of_a_session(self):
        session = Session(self.engine)
        for name in ("a b", "../x", "x" * 65, "\x00"):
            result = session.ask("POST", "/run", {"code": "1", "context": name})[1]
            self.assertIn("context", json.dumps(result))
            self.assertNotEqual(result.get("status"), "ok", result)
        for target, body in (("/v1/run", {"code": "1", "context": "a"}), ("/v1/sessions", {"context": "a"})):
            status, answer = self.engine.ask("POST", target, json.dumps(body))
            self.assertIn(b"context", answer, (status, answer))

    def test_sessions_see_nothing_of_each_other(self):
        one, other = self.open(), self.open()
        one.run("import sys, builtins, os\nbuiltins.mine = 1\nopen('/tmp/x', 'w').close()\nopen('x', 'w').close()")
        self.assertEqual(other.value("import os\n['mine' in dir(__builtins__), os.listdir('/tmp'), os.listdir('.')]"),
                         [False, [], []])
        self.assertNotEqual(one.value("import random\nrandom.random()"), other.value("import random\nrandom.random()"))
        self.assertEqual(one.value("len([p for p in os.listdir('/proc') if p.isdigit()])"), 1)

    def test_what_a_step_may_not_ask_is_refused(self):
        session = self.open()
        for step in ({"env": {"A": "b"}}, {"limits": {"memory_bytes": 1e9}}, {"files": {"a": "b"}},
                     {"isolation": "process"}, {"checks": "restricted"}):
            result = session.run("1", **step)
            self.assertEqual(result["status"], "rejected", step)
        self.assertEqual(session.run("import ctypes", checks="checked")["status"], "rejected")
        for bad in ({"code": "1"}, {"isolation": "process"}, {"idle_timeout_ms": 0}, {"no_such": 1}, {"stdin": "x"},
                    {"policy": "none of that name"}, {"checks": "restricted"}):
            status, body = self.engine.ask("POST", "/v1/sessions", json.dumps(bad))
            self.assertIn(status, (400, 503), bad)
            self.assertEqual(json.loads(body)["status"], status)
        for method, path, status in (("GET", "/v1/sessions/none", 404), ("POST", "/v1/sessions/none/run", 400),
                                     ("PUT", "/v1/sessions", 405), ("GET", f"/v1/sessions/{session.id}/run", 405),
                                     ("POST", f"/v1/sessions/{session.id}/nothing", 404)):
            self.assertEqual(self.engine.ask(method, path, "{" if method == "POST" else None)[0], status, path)

    def test_a_session_that_is_busy_says_so(self):
        session = self.open()
        done = []
        thread = threading.Thread(target=lambda: done.append(session.run("import time\ntime.sleep(60)")))
        thread.start()
        self.assertFalse(casemate.settle(lambda: session.state() != "running", 20))
        self.assertEqual(session.ask("POST", "/run", {"code": "1"})[0], 409)
        self.assertEqual(session.ask("POST", "/interrupt", {})[0], 202)
        thread.join()
        self.assertEqual(done[0]["status"], "cancelled")
        self.assertEqual(session.value("1"), 1)

    def test_nothing_but_its_own_files_can_be_written(self):
        """Landlock leaves a session's files to the mounts; so the report does not name it for them."""
        session = self.open()
        enforced = session.run("1")["isolation"]["enforced"]
        mechanism = {one["guarantee"]: one["mechanism"] for one in enforced}["filesystem"]
        self.assertNotIn("Landlock", mechanism)
        code = """
            import os
            written = []
            for folder, folders, files in os.walk("/"):
                if folder == "/proc":
                    folders[:] = ["self", "sys"]
                if folder.count("/") > 4:
                    folders.clear()
                try:
                    os.close(os.open(folder + "/planted", os.O_CREAT | os.O_WRONLY))
                    written.append(folder)
                except OSError:
                    pass
            written.sort()
        """
        found = session.run(textwrap.dedent(code) + "result = written")["result"]
        own = ("/tmp", "/workspace", "/dev/shm")
        self.assertEqual([path for path in found if not path.startswith(own)], [])
        self.assertIn("/tmp", found)

    def test_secrets_are_there_and_redacted(self):
        secret = self.place / "secret"
        secret.write_text("correct-horse-battery-staple")
        secret.chmod(0o600)
        session = self.open(secrets={"KEY": f"file:{secret}"})
        result = session.run("import os\nprint(os.environ['KEY'])\nos.environ['KEY']")
        self.assertNotIn("staple", json.dumps(result))
        self.assertTrue(result["redactions"])
        self.assertNotIn("staple", json.dumps(session.run("x = os.environ['KEY']\nraise ValueError(x)")))

    def test_each_step_is_recorded(self):
        session = self.open()
        ids = [session.run("1")["id"], session.run("1/0")["id"]]
        session.ask("DELETE")
        for run in [*ids, session.id]:
            shown = casemate.run(["audit", "show", "--json", run], env=self.env)
            self.assertEqual(shown.code, 0, shown.tell())
            self.assertIn(session.id.encode(), shown.stdout)
        self.assertEqual(casemate.run(["audit", "verify"], env=self.env).code, 0)


class Survives(WithEngine):
    """The table of include/casemate/session.h, a row each."""

    def goes_on(self, session, *statuses):
        self.assertEqual(session.state(), "idle", statuses)
        self.assertEqual(session.value("kept"), 7)

    def has_ended(self, session):
        self.assertEqual(session.state(), "ended")
        status, problem = session.ask("POST", "/run", {"code": "1"})
        self.assertEqual((status, problem["status"]), (409, 409))
        self.assertIn("ended", problem["detail"])

    def start(self, **options):
        session = self.open(**options)
        session.run("kept = 7")
        return session

    def test_an_error_and_an_exit(self):
        session = self.start()
        failed = session.run("1/0")
        self.assertEqual((failed["status"], failed["error"]["type"], failed["exit_code"]),
                         ("error", "ZeroDivisionError", 1))
        self.assertEqual(session.run("import sys; sys.exit(3)")["exit_code"], 3)
        self.goes_on(session)

    def test_a_result_that_is_too_large(self):
        session = self.start()
        self.assertEqual(session.run("result = 'x' * 100", limits={"result_bytes_max": 10})["status"], "result_invalid")
        self.goes_on(session)

    def test_time_cpu_and_output_with_an_interrupt(self):
        session = self.start()
        slept = session.run("import time\ntime.sleep(60)", limits={"wall_time_ms": 300})
        self.assertEqual((slept["status"], slept["session"]["state"]), ("timeout", "idle"))
        spun = session.run("while True: pass", limits={"cpu_time_ms": 200})
        self.assertEqual((spun["status"], spun["session"]["state"]), ("cpu_limit", "idle"))
        said = session.run("while True: print('x' * 1000)", limits={"stdout_bytes_max": 5000})
        self.assertEqual((said["status"], said["session"]["state"]), ("output_limit", "idle"))
        self.goes_on(session)

    def test_time_without_heed(self):
        session = self.start()
        result = session.run(NEVER_ENDS, limits={"wall_time_ms": 300})
        self.assertEqual((result["status"], result["session"]["state"]), ("timeout", "ended"))
        self.has_ended(session)

    def test_an_interrupt(self):
        session = self.start()
        timer = session.interrupt_soon()
        result = session.run("import time\ntime.sleep(60)")
        timer.join()
        self.assertEqual((result["status"], result["error"]["type"]), ("cancelled", "KeyboardInterrupt"))
        self.goes_on(session)
        timer = session.interrupt_soon()
        result = session.run(NEVER_ENDS)
        timer.join()
        self.assertEqual(result["session"]["state"], "ended")
        self.has_ended(session)

    def test_a_caller_that_hangs_up(self):
        session = self.start()
        connection = UnixConnection(self.engine.path)
        connection.request("POST", f"/v1/sessions/{session.id}/run",
                           json.dumps({"code": "import time\ntime.sleep(60)"}))
        self.assertFalse(casemate.settle(lambda: session.state() != "running", 20))
        connection.close()
        self.assertFalse(casemate.settle(lambda: session.state() != "idle", 20))
        self.goes_on(session)

    def test_memory(self):
        session = self.start(limits={"memory_bytes": 64 << 20})
        refused = session.run("x = bytearray(1 << 50)")
        self.assertEqual(refused["error"]["type"], "MemoryError")
        self.goes_on(session)
        self.assertEqual(session.run("y = bytearray(40 << 20)")["status"], "ok")
        result = session.run("z = bytearray(40 << 20)")  # the ceiling is the session's
        self.assertEqual((result["status"], result["session"]["state"]), ("memory_limit", "ended"))
        self.has_ended(session)

    def test_the_end_of_the_interpreter(self):
        for code, status in (("import os; os._exit(0)", "error"), ("import os; os.kill(os.getpid(), 9)", "error")):
            session = self.start()
            result = session.run(code)
            self.assertEqual((result["status"], result["session"]["state"]), (status, "ended"), result)
            self.has_ended(session)

    def test_its_time(self):
        idle = self.start(idle_timeout_ms=300)
        old = self.start(lifetime_ms=2000)
        self.assertFalse(casemate.settle(lambda: idle.state() != "ended", 20))
        self.assertIn("idle", idle.ask("GET")[1]["ended_because"])
        self.assertFalse(casemate.settle(lambda: old.state() != "ended", 20))
        self.assertIn("lifetime", old.ask("GET")[1]["ended_because"])

    def test_its_close_ends_a_step(self):
        session = self.start()
        done = []
        thread = threading.Thread(target=lambda: done.append(session.run(NEVER_ENDS)))
        thread.start()
        self.assertFalse(casemate.settle(lambda: session.state() != "running", 20))
        self.assertEqual(session.ask("DELETE")[0], 204)
        thread.join(20 * casemate.SLOW)
        self.assertEqual(done[0]["session"]["state"], "ended")
        self.assertEqual(session.ask("GET")[0], 404)


class EngineRestart(Case):
    def test_no_session_survives_it(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            engine = Engine(self.place / "engine.sock", self.env, "--pool-size", "1")
            try:
                session = Session(engine)
                session.run("x = 1")
                engine.end(number)
                engine = Engine(self.place / "engine.sock", self.env, "--pool-size", "1")
                self.assertEqual(session.__class__.known(engine, session.info).ask("GET")[0], 404)
            finally:
                engine.end()


class Hostile(WithEngine):
    def test_a_forged_end_does_not_move_the_limits(self):
        session = self.open(limits={"wall_time_ms": 1500})
        blind = session.run("import os\n"
                            "def frame(k, p=b''): return k + len(p).to_bytes(4, 'little') + p\n"
                            "os.write(1101, frame(b'R', b'1') + frame(b'Z') + frame(b'Q', b'\\0' + b'0' * 32))\n"
                            "while True: pass")
        # After a frame that no harness sends nothing more is read there, so its end cannot be told either.
        self.assertEqual((blind["status"], blind["session"]["state"]), ("timeout", "ended"))
        self.assertGreaterEqual(blind["usage"]["wall_ms"], 1400)
        # One who reads the token out of the harness gets its step called over, and nothing else: what goes on
        # is counted, and a later step has its own clock.
        session = self.open(limits={"wall_time_ms": 1500, "cpu_time_ms": 1000})
        told = session.run("import os, sys\n"
                           "frame = sys._getframe()\n"
                           "while 'token' not in frame.f_locals: frame = frame.f_back\n"
                           "token = frame.f_locals['token']\n"
                           "def frame(k, p=b''): return k + len(p).to_bytes(4, 'little') + p\n"
                           "os.write(1101, frame(b'S') + frame(b'R', b'1') + frame(b'Z') + "
                           "frame(b'Q', b'\\0' + token))\n"
                           "while True: pass")
        self.assertEqual((told["status"], told["result"]), ("ok", 1))
        late = session.ask("POST", "/run", {"code": "1"})
        if late[0] == 200:
            self.assertNotEqual(late[1]["status"], "ok")
            self.assertLess(late[1]["usage"]["wall_ms"], 20000)
        # That clock has stopped what went on, so the session is there again.
        self.assertFalse(casemate.settle(lambda: session.run("3")["result"] != 3, 20))

    def test_what_a_thread_leaves_behind_is_bounded(self):
        session = self.open(limits={"wall_time_ms": 2000})
        session.run("import threading, os, time\n"
                    "def flood():\n"
                    "    while True:\n"
                    "        try: os.write(1101, b'R\\x01\\0\\0\\0' + b'9')\n"
                    "        except OSError: return\n"
                    "threading.Thread(target=flood, daemon=True).start()")
        for _ in range(3):
            status, result = session.ask("POST", "/run", {"code": "1 + 1"})
            if status != 200:
                break
            self.assertIn(result["status"], ("ok", "error", "timeout", "result_invalid"))
        self.assertEqual(self.open().value("1 + 1"), 2)

    def test_a_closed_channel_ends_the_session_and_is_told(self):
        for code in ("import os; os.close(1101)", "import os; os.close(1100)", "import os; os.closerange(0, 70000)"):
            session = self.open()
            result = session.run(code)
            self.assertIn(result["status"], ("error", "ok", "result_invalid"), code)
            step = {"code": "1", "limits": {"wall_time_ms": 1000}}
            casemate.settle(lambda: session.ask("POST", "/run", step)[0] != 409, 20)  # noqa: B023
            self.assertEqual(session.state(), "ended", code)

    def test_replaced_builtins_do_not_forge_the_outside(self):
        session = self.open(limits={"wall_time_ms": 1000})
        session.run("import builtins, sys, signal, time, posix\n"
                    "builtins.compile = builtins.exec = builtins.eval = lambda *a: None\n"
                    "sys.exit = lambda *a: None\nsys.settrace(lambda *a: None)\n"
                    "signal.signal = lambda *a: None")
        result = session.run("import time\ntime.sleep(60)")
        self.assertIn(result["status"], ("timeout", "ok", "error"))
        self.assertLess(result["usage"]["wall_ms"], 20000)
        self.assertEqual(self.open().value("1"), 1)

    def test_what_runs_between_steps_is_counted(self):
        session = self.open(limits={"cpu_time_ms": 500})
        result = session.run("import threading\n"
                             "threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()")
        if not casemate.enforced(result, "cpu_time"):
            self.skipTest("without a cgroup processes are counted during steps alone, as the result says")
        self.assertFalse(casemate.settle(lambda: session.state() != "ended", 40))

    def test_children_die_with_their_session(self):
        session = self.open()
        marker = f"sleep-{time.time_ns()}"
        session.run("import subprocess\n"
                    f"subprocess.Popen(['sleep', '600'], env={{'MARKER': '{marker}'}})")
        if os.getuid() == 0:
            self.assertTrue(casemate.marked(marker))
        session.ask("DELETE")
        self.assertFalse(casemate.settle(lambda: casemate.marked(marker), 10))


class Refusals(WithEngine):
    def test_what_cannot_be_says_why(self):
        session = self.open()
        status, problem = session.ask("POST", "/hibernate", {})
        self.assertEqual((status, problem["code"]), (501, "not_implemented"))
        self.assertIn("cannot hibernate, since", problem["detail"])
        self.assertIn("make a checkpoint", problem["detail"])

    def test_the_command_line(self):
        env = {**self.env, "CASEMATE_SOCKET": self.engine.path}

        def session(*words, stdin=b""):
            return casemate.run(["session", *words], env=env, stdin=stdin)
        opened = session("open", '{"name": "cli"}').stdout.decode().strip()
        self.assertEqual(session("run", opened, "-c", "x = 20\nprint('a')").stdout, b"a\n")
        self.assertEqual(session("run", opened, "-", stdin=b"x + 1").stdout, b"21\n")
        failed = session("run", opened, "-c", "1/0")
        self.assertEqual((failed.code, b"ZeroDivisionError" in failed.stderr), (1, True))
        self.assertEqual(session("put", opened, "d/f", "-", stdin=b"\0x").code, 0)
        self.assertEqual(session("get", opened, "d/f").stdout, b"\0x")
        self.assertIn(b'"f"', session("ls", opened, "d").stdout)
        self.assertEqual(session("mv", opened, "d/f", "g").code, 0)
        self.assertEqual(session("rm", opened, "d/f").code, 126)
        self.assertIn(b'"cli"', session("list").stdout)
        fork = session("fork", opened).stdout.decode().strip()
        self.assertEqual(session("run", fork, "-c", "x").stdout, b"20\n")
        self.assertEqual(len(session("fork", opened, "2").stdout.split()), 2)
        kept = session("checkpoint", opened, "name").stdout.decode().strip()
        self.assertIn(kept.encode(), session("checkpoints", opened).stdout)
        session("run", opened, "-c", "x = 0")
        self.assertEqual(session("rewind", opened, kept).code, 0)
        self.assertEqual(session("run", opened, "-c", "x").stdout, b"20\n")
        self.assertEqual(session("drop", opened, kept).code, 0)
        refused = session("hibernate", opened)
        self.assertEqual((refused.code, b"cannot hibernate" in refused.stderr), (126, True), refused.stderr)
        self.assertEqual(session("close", opened).code, 0)
        gone = session("run", opened, "-c", "1")
        self.assertEqual((gone.code, b"no such session" in gone.stderr), (126, True))
        for words in (("open", "{"), ("run", opened), ("nothing",), ("put", opened, "x"), ("show", "../../x")):
            self.assertEqual(session(*words).code, 126, words)


class Files(WithEngine):
    def test_go_in_and_out(self):
        session = self.open(files={"first": "1"})
        self.assertEqual(session.file("PUT", "a/b/data é.bin", b"\0\xff" * 100000)[0], 204)
        self.assertEqual(session.value("[len(open('a/b/data é.bin', 'rb').read()), open('first').read()]"),
                         [200000, "1"])
        session.run("open('a/out', 'w').write('made inside')")
        self.assertEqual(session.file("GET", "a/out"), (200, b"made inside"))
        listed = json.loads(session.file("GET", "a", query="?list")[1])["entries"]
        self.assertEqual([(e["name"], e["kind"]) for e in listed], [("b", "folder"), ("out", "file")])
        self.assertEqual(json.loads(session.file("GET", "a/out", query="?stat")[1])["size_bytes"], 11)
        self.assertEqual(session.file("POST", "a/out", query="?move_to=b2")[0], 204)
        self.assertEqual(session.file("GET", "a/out")[0], 404)
        self.assertEqual(session.file("GET", "b2")[1], b"made inside")
        self.assertEqual(session.file("DELETE", "b2")[0], 204)
        self.assertEqual(session.file("DELETE", "a")[0], 400)  # not empty
        listed = json.loads(session.file("GET", "", query="?list")[1])["entries"]
        self.assertEqual({e["name"] for e in listed}, {"a", "first"})
        self.assertEqual(session.value("open('a/b/data é.bin', 'ab').write(b'x')"), 1)  # the program owns it

    def test_paths_do_not_lead_out(self):
        session = self.open()
        session.run("import os\nos.symlink('/etc', 'e'); os.symlink('/etc/passwd', 'p'); os.symlink('..', 'up')\n"
                    "os.symlink('../../proc/self/root', 'r'); os.mkfifo('fifo')\n"
                    "os.mkdir('d'); os.symlink('/tmp', 'd/t')\n"
                    "os.symlink('inner', 'good'); open('inner', 'w').write('in')")
        for path in ("e/passwd", "p", "up/etc/passwd", "r/etc/passwd", "d/t/x", "fifo", "../etc/passwd", "/etc/passwd",
                     "a/../../etc/passwd", "a//b", ".", "..", "d/..", "x\0y"):
            for method, body, query in (("GET", None, ""), ("PUT", b"x", ""), ("DELETE", None, ""),
                                        ("POST", None, "?move_to=up/x"), ("GET", None, "?list")):
                if method in ("DELETE", "POST") and path in ("p", "fifo"):
                    continue  # the entry itself is the workspace's own
                status, body = session.file(method, path, body, query)
                self.assertIn(status, (400, 404), (method, path, query))
                self.assertNotIn(b"root:", body)
        self.assertEqual(session.file("GET", "good"), (200, b"in"))
        self.assertEqual(json.loads(session.file("GET", "p", query="?stat")[1])["kind"], "link")
        self.assertEqual(session.file("POST", "inner", query="?move_to=..%2Fx")[0], 400)

    def test_a_race_does_not_lead_out(self):
        session = self.open()
        session.run("import os, threading\nos.mkdir('a'); open('a/passwd', 'w').write('inside')\n"
                    "os.symlink('/etc', 'b')\n"
                    "def swap():\n"
                    "    while True:\n"
                    "        os.rename('a', 'c'); os.rename('b', 'a'); os.rename('a', 'b'); os.rename('c', 'a')\n"
                    "threading.Thread(target=swap, daemon=True).start()")
        outcomes = set()
        for number in range(40):
            status, body = session.file("GET", "a/passwd")
            outcomes.add(status)
            self.assertNotIn(b"root:", body)
            self.assertIn(session.file("PUT", f"a/new{number}", b"x")[0], (204, 400, 404))
        self.assertLessEqual(outcomes, {200, 400, 404})

    def test_are_bounded(self):
        session = self.open(limits={"tmp_bytes": 1 << 20})
        status, problem = session.file("PUT", "large", b"x" * (2 << 20))
        self.assertEqual(status, 409, problem)
        self.assertEqual(session.file("PUT", "small", b"x")[0], 204)


if __name__ == "__main__":
    unittest.main()
