#!/usr/bin/env python3
"""Copies of a session: forks, checkpoints, rewinds; what survives them, and that no copy has power over another."""

import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import casemate  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine  # noqa: E402
from test_sessions import Session, WithEngine  # noqa: E402

# Looks for whatever it could do to another process: what it tells is empty when there is none.
HOSTILE = r"""
import ctypes, os, signal
libc, reached = ctypes.CDLL(None, use_errno=True), []
own = {1, os.getpid(), os.getppid()}
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
reached += [f"sees {pid}" for pid in pids if pid not in own]
for pid in range(1, 200):
    if pid in own:
        continue
    for number in (0, signal.SIGKILL, signal.SIGSTOP):
        try:
            os.kill(pid, number)
            reached.append(f"signals {pid}")
        except OSError:
            pass
    try:
        open(f"/proc/{pid}/mem").close()
        reached.append(f"reads {pid}")
    except OSError:
        pass
    if libc.ptrace(16, pid, 0, 0) == 0:
        reached.append(f"traces {pid}")
try:
    os.kill(-1, signal.SIGCONT)
except OSError:
    pass
for path in ("/proc/1/root", "/proc/1/ns/pid", "/proc/1/fd"):
    try:
        os.listdir(path) if path.endswith("fd") else os.readlink(path)
        reached.append(path)
    except OSError:
        pass
result = reached
"""


# Handlers of the C library's fork(), which are called in the middle of the making of a copy: as_prepare() and as_init()
# in its pid 1, which still is in the memory of the session, as_copy() in the copy.
HIJACK = r"""
import ctypes, os, time
libc, mark = ctypes.CDLL(None, use_errno=True), ctypes.c_ulong(0x6272616e6368)
handler = ctypes.CFUNCTYPE(None)
handlers = [handler(as_prepare), handler(as_init), handler(as_copy)]
libc.__register_atfork(*handlers, None)
def wait_as_copy():
    libc.syscall(272, 0, mark, 2, 0)
    os._exit(0)
def clone(flags):
    # One more that pauses, in the memory of whoever calls this.
    stack = ctypes.create_string_buffer(65536)
    kept.append(stack)
    return libc.clone(ctypes.cast(libc.pause, ctypes.c_void_p), ctypes.c_void_p(ctypes.addressof(stack) + 65520),
                      flags, None)
kept = []
"""
# Two copies in one memory: the first pid 1 makes its copy with clone(CLONE_VM), as the last one rightly does, and has
# the C library's own end. In machine code, since the interpreter is not for two: close_range, setsid, chdir, capset,
# unshare with the mark of a copy that waits, exit.
SHARES = r"""
import mmap
text = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
text.write(bytes.fromhex("4889fb 31ff be ffffffff 31d2 b8b4010000 0f05 b870000000 0f05 4889df b850000000 0f05"
                         "488d7b10 488d7320 b87e000000 0f05"
                         "31ff 48be 6863 6e61 7262 0000 ba02000000 4d31d2 b810010000 0f05 31ff b83c000000 0f05"))
data = ctypes.create_string_buffer(b"/workspace", 64)
ctypes.memmove(ctypes.addressof(data) + 16, (ctypes.c_uint * 2)(0x20080522, 0), 8)
def share():
    stack = ctypes.create_string_buffer(65536)
    kept.append(stack)
    libc.clone(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(text))),
               ctypes.c_void_p(ctypes.addressof(stack) + 65520), 0x111, data)
"""
DROPS = r"""
os.setsid(); os.chdir('/workspace')
libc.capset((ctypes.c_uint * 2)(0x20080522, 0), (ctypes.c_uint * 6)())
wait_as_copy()
"""
# In the place of the reaper, which is about to be executed by its descriptor.
NO_REAPER = r"""
with open('/workspace/init', 'w') as file: file.write('#!/bin/sh\nexec sleep 600\n')
os.chmod('/workspace/init', 0o755)
os.dup2(os.open('/workspace/init', os.O_RDONLY), 5)
"""


class WithForks(WithEngine):
    flags = ("--pool-size", "2")

    def fork(self, session, count=1):
        status, answer = session.ask("POST", "/fork", {"count": count})
        self.assertEqual(status, 201, answer)
        forks = [Session.known(self.engine, info) for info in answer["sessions"]]
        self.assertEqual(len(forks), count)
        for fork in forks:
            self.addCleanup(fork.ask, "DELETE")
        return forks

    def refused(self, session):
        status, problem = session.ask("POST", "/fork", {})
        self.assertGreaterEqual(status, 400, problem)
        return problem["detail"]


class Forks(WithForks):
    def test_all_go_on_from_one_state_and_apart(self):
        session = self.open()
        session.run("import json\nx = [1]\ndef double(): return [2 * n for n in x]\n"
                    "open('/workspace/f', 'w').write('same')\nopen('/tmp/g', 'w').write('tmp')")
        forks = self.fork(session, 3)
        for number, branch in enumerate([session, *forks]):
            self.assertEqual(branch.value(f"x.append({number})\nopen('/workspace/f', 'a').write('{number}')\ndouble()"),
                             [2, 2 * number])
        for number, branch in enumerate([session, *forks]):
            self.assertEqual(branch.value("[x, open('f').read(), open('/tmp/g').read(), json.dumps(x)]"),
                             [[1, number], f"same{number}", "tmp", f"[1, {number}]"])
            self.assertEqual(branch.file("GET", "f"), (200, f"same{number}".encode()))
        self.assertEqual({branch.ask("GET")[1].get("parent") for branch in forks}, {session.id})

    def test_files_that_are_put_while_it_forks_are_kept(self):
        session = self.open()
        session.run("state = [bytearray(4000) for _ in range(2000)]")
        over, put, wrong = threading.Event(), [], []

        def put_files():
            while not over.is_set():
                put.append(f"f{len(put)}")
                for ask, expected in ((("PUT", put[-1], b"x"), (204, b"")), (("GET", put[-1]), (200, b"x"))):
                    answer = session.file(*ask)
                    if answer != expected:
                        wrong.append((ask, answer))

        thread = threading.Thread(target=put_files)
        thread.start()
        try:
            for _ in range(10):
                self.fork(session)[0].ask("DELETE")
        finally:
            over.set()
            thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual(set(session.value("import os\nos.listdir('/workspace')")), set(put))

    def test_forks_of_forks_and_their_ends(self):
        line = [self.open()]
        line[0].run("x = 0")
        for depth in range(1, 6):
            line.append(self.fork(line[-1])[0])
            line[-1].run(f"x += {depth}")
        self.assertEqual([branch.value("x") for branch in line], [0, 1, 3, 6, 10, 15])
        line[0].ask("DELETE")
        line[2].ask("DELETE")
        self.assertEqual([line[index].value("x") for index in (1, 3, 4, 5)], [1, 6, 10, 15])

    def test_more_copies_than_processes_say_so_at_once_and_it_goes_on(self):
        session = self.open(limits={"processes_max": 8})
        session.run("x = 1")
        begin = time.monotonic()
        status, answer = session.ask("POST", "/fork", {"count": 16})
        self.assertEqual(status, 409, answer)
        self.assertIn("processes", answer["detail"])
        self.assertLess(time.monotonic() - begin, 5 * casemate.SLOW)
        self.assertEqual(session.value("x"), 1)
        self.assertEqual(self.fork(session)[0].value("x"), 1)
        # Room for the copies, but perhaps not for what prepares them too.
        for count in range(2, 6):
            status, answer = session.ask("POST", "/fork", {"count": count})
            self.assertIn(status, (201, 409), answer)
            if status == 409:
                self.assertIn("processes", answer["detail"])
            for info in answer.get("sessions", []):
                Session.known(self.engine, info).ask("DELETE")
        self.assertEqual(session.value("x"), 1)

    def test_a_line_too_long_says_so_and_goes_on(self):
        session = self.open()
        session.run("x = 1")
        for _ in range(40):
            status, answer = session.ask("POST", "/fork", {})
            if status != 201:
                break
            Session.known(self.engine, answer["sessions"][0]).ask("DELETE")
        self.assertEqual(status, 409, answer)
        self.assertIn("levels", answer["detail"])
        self.assertEqual(session.value("x"), 1)

    def test_limits_and_interrupts_are_each_branch_its_own(self):
        session = self.open(limits={"memory_bytes": 128 << 20})
        session.run("x = bytearray(40 << 20)")
        fork = self.fork(session)[0]
        result = fork.run("y = bytearray(b'x') * (200 << 20)")
        self.assertEqual(result["status"], "memory_limit")
        self.assertEqual(session.value("len(x)"), 40 << 20)
        other = self.fork(session)[0]
        self.assertEqual(other.run("while True: pass", limits={"wall_time_ms": 500})["status"], "timeout")
        self.assertEqual([other.value("len(x)"), session.value("len(x)")], [40 << 20] * 2)
        self.assertEqual(other.run("import os\nos._exit(3)")["status"], "error")
        self.assertEqual(session.value("1"), 1)

    def test_what_is_no_memory_is_gone_and_its_randomness_is_new(self):
        session = self.open(env={"NAME": "value"})
        session.run("import os, random, subprocess, threading, time\nf = open('/workspace/f', 'w')\nrandom.seed(1)\n"
                    "own = random.Random(1)\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
                    "child = subprocess.Popen(['sleep', '600'])\nos.chdir('/tmp')")
        fork = self.fork(session)[0]
        told = [branch.value("[random.random(), own.random(), os.urandom(8).hex(), threading.active_count(), "
                             "os.getcwd(), os.environ['NAME'], os.getpid()]") for branch in (session, fork)]
        for index in (0, 2):
            self.assertNotEqual(told[0][index], told[1][index])
        self.assertEqual(told[0][1], told[1][1])
        self.assertEqual(told[0][3:], [1, "/workspace", "value", 2])
        self.assertEqual(told[1][3:], [1, "/workspace", "value", 2])
        for branch in (session, fork):
            self.assertEqual(branch.run("f.write('x')\nf.flush()")["error"]["type"], "OSError")
            self.assertLessEqual(branch.value("len([name for name in os.listdir('/proc') if name.isdigit()])"), 2)

    def test_secrets_are_redacted_in_every_copy(self):
        secret = self.place / "secret"
        secret.write_text("correct-horse-battery-staple")
        secret.chmod(0o600)
        session = self.open(secrets={"KEY": f"file:{secret}"})
        session.run("import os\nkey = os.environ['KEY']")
        fork = self.fork(session)[0]
        for branch in (session, fork, self.fork(fork)[0]):
            result = branch.run("print(key)\nkey")
            self.assertEqual(result["status"], "ok", result)
            self.assertNotIn("staple", json.dumps(result))
            self.assertTrue(result["redactions"])

    def test_bad_asks(self):
        session = self.open()
        for body in ({"count": 0}, {"count": 33}, {"count": "1"}, {"other": 1}, []):
            self.assertEqual(session.ask("POST", "/fork", body)[0], 400, body)
        self.assertEqual(session.ask("POST", "/rewind", {"checkpoint": "cp-0"})[0], 404)
        self.assertEqual(session.ask("POST", "/rewind", {})[0], 400)
        self.assertEqual(session.value("1"), 1)


class Checkpoints(WithForks):
    def test_goes_back_as_often_as_wanted(self):
        session = self.open()
        session.run("x = 1\nopen('f', 'w').write('a')")
        status, kept = session.ask("POST", "/checkpoints", {"name": "start"})
        self.assertEqual((status, kept["name"], kept["steps"]), (201, "start", 1))
        for _ in range(3):
            session.run("x += 1\nopen('f', 'a').write('b')")
            self.assertEqual(session.value("[x, open('f').read()]"), [2, "ab"])
            self.assertEqual(session.ask("POST", "/rewind", {"checkpoint": kept["id"]})[0], 200)
            self.assertEqual(session.value("[x, open('f').read()]"), [1, "a"])
        self.assertEqual([entry["id"] for entry in session.ask("GET", "/checkpoints")[1]["checkpoints"]], [kept["id"]])
        self.assertEqual(session.ask("DELETE", f"/checkpoints/{kept['id']}")[0], 204)
        self.assertEqual(session.ask("POST", "/rewind", {"checkpoint": kept["id"]})[0], 404)

    def test_a_dead_end_is_left_behind(self):
        session = self.open()
        session.run("x = 1")
        kept = session.ask("POST", "/checkpoints", {})[1]["id"]
        session.run("del x")
        session.ask("POST", "/rewind", {"checkpoint": kept})
        self.assertEqual(session.value("x"), 1)


class Isolation(WithForks):
    def test_no_copy_reaches_another(self):
        session = self.open()
        session.run("import os\nsecret = os.urandom(16)")
        fork, other = self.fork(session, 2)
        for branch in (fork, session, other):
            self.assertEqual(branch.value(HOSTILE), [], branch.id)
        for branch in (fork, session, other):
            self.assertEqual(branch.value("1"), 1)

    def test_memory_that_is_shared_is_refused(self):
        session = self.open()
        session.run("import mmap\nshared = mmap.mmap(-1, 4096)")
        self.assertIn("shared", self.refused(session))
        self.assertEqual(session.value("shared[0]"), 0)
        session.run("shared.close()")
        self.fork(session)
        session.run("with open('/workspace/m', 'wb') as file: file.write(bytes(4096))\n"
                    "file = open('/workspace/m', 'r+b')\nshared = mmap.mmap(file.fileno(), 4096)")
        self.assertIn("shared", self.refused(session))

    def test_nothing_that_was_open_is_left(self):
        session = self.open()
        session.run("import os, socket\nr, w = os.pipe()\nos.write(w, b'x')\na, b = socket.socketpair()\n"
                    "m = os.memfd_create('m')\nd = os.open('/workspace', os.O_RDONLY)")
        fork = self.fork(session)[0]
        for branch in (session, fork):
            left = branch.value("sorted(os.readlink(f'/proc/self/fd/{n}').split(':')[0] "
                                "for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}'))")
            self.assertEqual([name for name in left if name not in ("pipe", "/dev/null")], [], left)
            self.assertEqual(branch.run("os.read(r, 1)")["error"]["type"], "OSError")

    def test_old_files_are_out_of_reach(self):
        session = self.open()
        session.run("import os\nopen('/tmp/a', 'w').write('a')")
        fork = self.fork(session)[0]
        devices = [branch.value("[os.stat(path).st_dev for path in ('/tmp', '/workspace', '/dev/shm', '.')]")
                   for branch in (session, fork)]
        self.assertEqual({len(set(each)) for each in devices}, {1})
        fork.run("open('/tmp/a', 'w').write('b')\nopen('/dev/shm/s', 'w').write('s')")
        self.assertEqual(session.value("[open('/tmp/a').read(), os.listdir('/dev/shm')]"), ["a", []])

    def test_a_fork_that_nobody_asked_for_is_refused(self):
        session = self.open()
        for flags in ("0x7e024111", "0x10000011", "0x20000011"):
            result = session.run(f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                                 f"[libc.syscall(56, {flags}, 0, 0, 0, 0), ctypes.get_errno()]")
            self.assertEqual(result["result"], [-1, 1], flags)
            self.assertEqual(result["denials"][0]["kind"], "syscall")
        # Nor does the word of a copy in birth open anything.
        result = session.run("[libc.syscall(272, 0, ctypes.c_ulong(0x6272616e6368), point, 0) for point in (1, 2, 3)]")
        self.assertEqual(result["result"], [-1, -1, -1])
        self.assertEqual(session.value("1"), 1)

    def test_threads_and_children_that_were_left_do_not_outlive_it(self):
        session = self.open()
        marker = f"left-{os.getpid()}-{id(self)}"
        session.run("import os, subprocess, threading, time\n"
                    "code = 'import os, time\\nos.fork()\\nos.fork() or os.setsid()\\ntime.sleep(600)'\n"
                    f"subprocess.Popen(['python3', '-c', code], env=dict(os.environ, MARKER='{marker}'))\n"
                    "def spin():\n    while True: time.sleep(0.001)\n"
                    "[threading.Thread(target=spin, daemon=True).start() for _ in range(5)]\ntime.sleep(0.3)")
        if os.getuid() == 0:
            self.assertTrue(casemate.marked(marker))
        fork = self.fork(session)[0]
        self.assertFalse(casemate.marked(marker))
        self.assertEqual([branch.value("threading.active_count()") for branch in (session, fork)], [1, 1])

    def test_a_session_that_does_not_play_by_the_rules_ends_alone(self):
        bystander = self.open()
        bystander.run("x = 7")
        # Hooks of a fork that misbehave: they run before the clone, in the copy, or in the origin.
        for hook in ("before=lambda: os._exit(0)", "after_in_child=lambda: os._exit(0)",
                     "before=lambda: os.kill(os.getpid(), 9)"):
            session = self.open()
            session.run(f"import os\nos.register_at_fork({hook})")
            status, answer = session.ask("POST", "/fork", {})
            if status == 201:
                for info in answer["sessions"]:
                    status, result = Session.known(self.engine, info).ask("POST", "/run", {"code": "1"})
                    # It may have been noticed already that the copy has ended.
                    self.assertTrue(status == 409 or result["status"] != "ok", result)
            else:
                self.assertIn(status, (409, 500), answer)
        self.assertEqual(bystander.value("x"), 7)

    def hijacked(self, init, copy, prepare="", more=""):
        """Asks for a fork of a session that has these handlers; why it was not made."""
        marker = f"forged-{os.getpid()}"
        session = self.open(env={"MARKER": marker})
        bodies = [textwrap.indent(code.strip() or "pass", "    ") for code in (init, copy, prepare)]
        handlers = "def as_init():\n{}\ndef as_copy():\n{}\ndef as_prepare():\n{}\n".format(*bodies)
        self.assertIsNone(session.run(handlers + HIJACK + more)["error"])
        status, answer = session.ask("POST", "/fork", {})
        if status == 201:
            forks = [session, *(Session.known(self.engine, info) for info in answer["sessions"])]
            for branch in forks:
                pids = branch.value("[int(name) for name in os.listdir('/proc') if name.isdigit()]")
                self.assertEqual([pid for pid in pids if pid > 2], [], init)
            for branch in forks[1:]:
                branch.ask("DELETE")
        session.ask("DELETE")
        self.assertFalse(casemate.settle(lambda: casemate.marked(marker), 10), init)
        return answer.get("detail", "")

    def test_a_forged_copy_is_not_let_go(self):
        bystander = self.open()
        bystander.run("x = 7")
        # The last one has its own pid 1 make one more, in the memory of the session.
        for init, copy, why in ((NO_REAPER, "", "not the reaper"),
                                ("", "time.sleep(600)", "in time"),
                                ("", "wait_as_copy()", "capabilities"),
                                ("", "os.closerange(0, 1200)\nwait_as_copy()", "capabilities"),
                                ("", DROPS, "descriptors"),
                                ("", "os.closerange(0, 1200)\nclone(17)\n" + DROPS, "alone"),
                                ("clone(0x111)", "", "alone")):
            self.assertIn(why, self.hijacked(init, copy), (init, copy))
        if platform.machine() == "x86_64":
            self.assertIn("shares memory", self.hijacked("os.waitpid(3, 0)", "os._exit(0)", "share()", SHARES))
        self.assertEqual(bystander.value("x"), 7)

    def test_what_hides_among_the_copies_dies_with_the_session(self):
        # With a copy of the memory and in the same one; in the namespaces of a copy, and a child of the session.
        for flags in ("0x8011", "0x8111"):
            self.assertEqual(self.hijacked(f"clone({flags})", ""), "", flags)
        stray = "if libc.syscall(56, 0x8011, 0, 0, 0, 0) == 0: os.execv('/bin/sleep', ['sleep', '600'])"
        self.assertEqual(self.hijacked(stray, ""), "")

    def test_the_memory_is_nobody_elses_after_it(self):
        session = self.open()
        silent = HIJACK
        for name in ("as_prepare", "as_init", "as_copy"):
            silent = silent.replace(name, "print")
        session.run(silent.replace("libc.__register", "#"))
        self.assertGreater(session.value("clone(0x111)"), 2)
        fork = self.fork(session)[0]
        for branch in (session, fork):
            self.assertLessEqual(branch.value("len([name for name in os.listdir('/proc') if name.isdigit()])"), 2)

    def test_networks_and_queues_are_apart(self):
        session = self.open()
        session.run("import ctypes, os, socket\nlibc = ctypes.CDLL(None)\nqueue = libc.msgget(7, 0o1666)")
        branches = [session, *self.fork(session, 2)]
        for branch in branches:
            branch.run("s = socket.socket(socket.AF_UNIX)\ns.bind('\\0' + str(id(s)))\ns.listen()")
        names = [branch.value("s.getsockname()[1:].decode()") for branch in branches]
        for branch in branches:
            own = branch.value("s.getsockname()[1:].decode()")
            for name in set(names) - {own}:
                self.assertEqual(branch.run(f"socket.socket(socket.AF_UNIX).connect('\\0{name}')")["error"]["type"],
                                 "ConnectionRefusedError")
            self.assertGreaterEqual(branch.value("libc.msgget(8, 0o3666)"), 0)
        self.assertGreaterEqual([branch.value("libc.msgget(7, 0o666)") for branch in branches].count(-1), 2)

    def test_threads_begin_and_end_after_it(self):
        session = self.open()
        session.run("import faulthandler, threading\nfaulthandler.enable()")
        for branch in (session, *self.fork(session, 2)):
            self.assertEqual(branch.value("t = [threading.Thread(target=lambda: done.append(threading.get_native_id()))"
                                          " for _ in range(4)]\ndone = []\n[each.start() for each in t]\n"
                                          "[each.join() for each in t]\n"
                                          "[len(set(done)), threading.get_native_id(), threading.active_count()]"),
                             [4, 2, 1])

    def test_a_flood_of_refused_calls_ends_its_own_branch_alone(self):
        session = self.open()
        session.run("import ctypes, os, threading\nlibc = ctypes.CDLL(None)")
        fork = self.fork(session)[0]
        flood = "for _ in range(20000): libc.unshare(0x10000000)"
        self.assertEqual(fork.run(flood)["status"], "denied")
        self.assertEqual(session.value("libc.unshare(0x10000000)"), -1)
        other = self.fork(session)[0]
        other.run(f"def flood():\n    {flood}\nthreading.Thread(target=flood, daemon=True).start()")
        for _ in range(3):
            self.assertEqual(session.run("import time\ntime.sleep(0.5)\nlibc.unshare(0x10000000)")["result"], -1)
        self.assertEqual(session.value("1"), 1)

    def test_what_waits_for_the_next_copies_ends_with_the_engine(self):
        engine = Engine(self.place / "killed.sock", self.env, *self.flags)
        self.addCleanup(engine.end)
        self.assertEqual(Session(engine).ask("POST", "/fork", {})[0], 201)

        def agents():
            lists = pathlib.Path(f"/proc/{engine.process.pid}/task").glob("*/children")
            children = [pid for each in lists for pid in each.read_text().split()]
            return [pid for pid in children if pathlib.Path(f"/proc/{pid}/comm").read_text() == "casemate-server\n"]

        self.assertFalse(casemate.settle(lambda: len(agents()) < 2, 10))
        engine.end(signal.SIGKILL)
        self.assertFalse(casemate.settle(casemate.orphans, 20))
        # The next one sweeps up the cgroups.
        engine = Engine(engine.path, self.env, *self.flags)
        self.addCleanup(engine.end)
        self.assertIn("serving at", engine.first_line)

    def test_everything_is_gone_at_the_end(self):
        marker = f"gone-{os.getpid()}"
        session = self.open()
        session.run("import os, subprocess")
        forks = self.fork(session, 3)
        for branch in [session, *forks]:
            branch.run(f"subprocess.Popen(['sleep', '600'], env=dict(os.environ, MARKER='{marker}'))")
        if os.getuid() == 0:
            self.assertEqual(len(casemate.marked(marker)), 4)
        for branch in [forks[1], session, forks[0], forks[2]]:
            branch.ask("DELETE")
        self.assertFalse(casemate.settle(lambda: casemate.marked(marker), 10))


@unittest.skipUnless(os.geteuid() == 0, "an ordinary user's engine is what all the other tests have then")
class OrdinaryUser(Case):
    """With subordinate ids, so that what runs in a sandbox is not the engine's own user."""

    NAME = "casemate-fork-test"

    def test_forks(self):
        subprocess.run(["useradd", "-m", self.NAME], check=True, capture_output=True)
        self.addCleanup(subprocess.run, ["userdel", "-r", self.NAME], capture_output=True)
        home = pathlib.Path(f"/home/{self.NAME}")
        for program in pathlib.Path(casemate.BINARY).resolve().parent.glob("casemate*"):
            if program.is_file() and os.access(program, os.X_OK):
                shutil.copy(program, home)
        engine = Engine.__new__(Engine)
        engine.path = str(home / "engine.sock")
        engine.process = subprocess.Popen(
            ["setpriv", "--reuid", self.NAME, "--regid", self.NAME, "--clear-groups", "env", "-i", f"HOME={home}",
             "PATH=/usr/bin:/bin", str(home / "casemate"), "serve", "--socket", engine.path, "--pool-size", "2"],
            stderr=subprocess.PIPE, cwd=home)
        self.addCleanup(engine.end)
        self.assertIn(b"serving", engine.process.stderr.readline())
        session = Session(engine)
        session.value("x = list(range(1000))\nlen(x)")
        status, made = session.ask("POST", "/fork", {"count": 3})
        self.assertEqual(status, 201, made)
        for info in made["sessions"]:
            self.assertEqual(Session.known(engine, info).value("x.append(1)\nlen(x)"), 1001)
        self.assertEqual(session.value("len(x)"), 1000)


if __name__ == "__main__":
    unittest.main()
