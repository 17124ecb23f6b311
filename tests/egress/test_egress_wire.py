#!/usr/bin/env python3
"""What a program reaches by the egress proxy, and what it does to it, in a tier whose network is out of the engine's
reach: there its connections come over a wire. usage: test_egress_wire.py TIER (microvm, docker, crun, runc, gvisor)"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "docker"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import casemate  # noqa: E402
import servers  # noqa: E402
import test_egress as egress  # noqa: E402
from docker_engine import Engine, Unavailable  # noqa: E402

SKIPPED = 77
# Of the tier that is tested; main() fills in the docker tier's engine.
FLAGS = {"microvm": ["--no-engine", "--python", "/usr/bin/python3", "--isolation", "microvm"],
         "docker": ["--no-engine", "--isolation", "docker"],
         "crun": ["--no-engine", "--runtime", "crun"],
         "runc": ["--no-engine", "--runtime", "runc"],
         "gvisor": ["--no-engine", "--isolation", "gvisor"]}
TIER = sys.argv.pop(1) if len(sys.argv) > 1 and sys.argv[1] in FLAGS else "microvm"
# There the wire's inner end is a process beside the program.
BESIDE = TIER in ("crun", "runc", "gvisor")
ENVIRONMENT = {}
IMAGES = []
# An emulated processor takes its time; nothing here measures it.
PATIENCE_MS = 90_000


class Traces(casemate.Traces):
    """But for the Docker Engine of the test itself, which stays."""

    def left_since(self, *arguments):
        return [what for what in super().left_since(*arguments) if not what.startswith("process dockerd ")]


class Wired:
    tier_flags = FLAGS[TIER]
    # Nobody outside sees a call that a guest's kernel, or another program's filter, refuses.
    tells_connects = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.update(ENVIRONMENT)
        # Images of guests are made once for all classes; they are no trace of a run.
        if IMAGES:
            os.symlink(IMAGES[0], cls.state_dir / "microvm")
        casemate.run_json(*cls.tier_flags, "-c", "pass", env=cls.env, deadline=600)
        cls.traces = Traces(str(cls.state_dir), str(cls.temporary_dir))

    def run_json(self, *arguments, **options):
        return super().run_json(*arguments, deadline=PATIENCE_MS / 1000 + 60, **options)

    def asked(self, code, network=None, timeout_ms=PATIENCE_MS, **request):
        return super().asked(code, network, max(timeout_ms, PATIENCE_MS), **request)

    if not BESIDE:
        # Its image has neither curl nor git.
        test_common_clients_as_they_are = None


class Reached(Wired, egress.Reached):
    pass


class Refused(Wired, egress.Refused):
    pass


class Brokered(Wired, egress.Brokered):
    pass


# Put in front of programs.
FETCH = egress.RAW + """
import threading, time, urllib.request
def fetch(size):
    with urllib.request.urlopen(INPUT_DATA["web"] + "/big?%d" % size, timeout=60) as answer:
        return len(answer.read())
def dial():
    return socket.create_connection(("127.0.0.1", 3128), 30)
"""


class Carried(Wired, egress.Base):
    """Many, slow, half-open and broken connections: none of them holds up another, and none is left."""

    def test_many_at_one_time_and_more_than_there_may_be(self):
        network = self.network(limits={"connections": 8})
        result, _ = self.result(FETCH + """
sizes = []
threads = [threading.Thread(target=lambda: sizes.append(fetch(30_000))) for _ in range(40)]
for thread in threads: thread.start()
for thread in threads: thread.join()
result = sizes""", network=network)
        self.assertEqual(result, [30_000] * 40)

    def test_silent_and_unfinished_ones_hold_up_nobody(self):
        result, _ = self.result(FETCH + """
held = [dial() for _ in range(25)]
for s in [dial() for _ in range(15)]:
    s.sendall(b"GET " + INPUT_DATA["web"].encode() + b"/ HTTP/1.1\\r\\nHost:")
    held.append(s)
greedy = dial()
greedy.sendall(b"GET " + INPUT_DATA["web"].encode() + b"/big?20000000 HTTP/1.1\\r\\nHost: "
               + INPUT_DATA["web"].encode()[7:] + b"\\r\\n\\r\\n")  # and never reads
result = [fetch(100_000) for _ in range(5)]""")
        self.assertEqual(result, [100_000] * 5)

    def test_those_that_come_and_go_leave_their_places(self):
        result, done = self.result(FETCH + """
import struct
for number in range(300):
    with dial() as s:
        if number % 3 == 1:
            s.sendall(b"GET http://refused.example/ HTTP/1.1\\r\\nHost: refused.example\\r\\n\\r\\n")
        if number % 3 == 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closes with a reset
kept = []
for number in range(70):  # closed by the proxy, and kept by the program
    kept.append(dial())
    kept[-1].sendall(b"no request\\r\\n\\r\\n")
    while kept[-1].recv(4096): pass
result = fetch(1000)""", network=self.network(limits={"connections": 16}))
        self.assertEqual(result, 1000)

    def test_bytes_in_both_directions_at_once(self):
        def echo(peer):
            with contextlib.suppress(OSError):
                while piece := peer.recv(65536):
                    peer.sendall(piece)
                peer.shutdown(socket.SHUT_WR)
        server = servers.Raw(echo)
        self.addCleanup(server.end)
        result, done = self.result(FETCH + """
import hashlib
s, status = connect("127.0.0.1:%d" % INPUT_DATA["other"])
s.settimeout(60)
sent, got, count = hashlib.sha256(), hashlib.sha256(), 0
def send():
    for number in range(64):
        piece = bytes([number]) * 65_536
        sent.update(piece)
        s.sendall(piece)
    s.shutdown(socket.SHUT_WR)
thread = threading.Thread(target=send)
thread.start()
while piece := s.recv(65536):
    got.update(piece)
    count += len(piece)
thread.join()
result = [status, count, sent.hexdigest() == got.hexdigest()]""",
                                   network={"allow": [f"127.0.0.1:{server.port}"]}, input={"other": server.port})
        self.assertEqual(result, [200, 64 * 65_536, True])
        self.assertEqual([(a["bytes_sent"], a["bytes_received"]) for a in done["network"]], [(64 * 65_536,) * 2])

    def test_a_program_that_ends_in_the_middle(self):
        result, done = self.result(FETCH + """
held = [dial() for _ in range(20)]
for s in held[:10]:
    s.sendall(b"CONNECT refused.example:443 HTTP/1.1\\r\\nHost: refused.example:443\\r\\n\\r\\n")
for s in held[:10]:
    s.recv(100)
result = 1""")
        self.assertEqual(result, 1)
        self.assertEqual(set(self.denied(done)), {"refused.example:443"})
        self.assertEqual([a["count"] for a in done["network"]], [10])

    def test_the_audit_log_and_the_answer_tell_of_it(self):
        done = self.asked("import urllib.request\nurllib.request.urlopen(INPUT_DATA['web']).read()\n"
                          "try:\n  urllib.request.urlopen('http://no.example')\nexcept OSError: pass")
        held = {row["guarantee"]: row["mechanism"] for row in done["isolation"]["enforced"]}
        self.assertIn("egress proxy", held["network"])
        shown = casemate.run(["audit", "show", "--json", done["id"]], env=self.env).stdout.decode()
        self.assertIn("no.example:80", shown)
        self.assertIn(f"web.example:{self.web.port}", shown)

    def test_without_an_allowlist_there_is_no_socket_at_all(self):
        done = self.ok(*self.tier_flags, "-c", """
import socket
def reach(make):
    try:
        return make() and "reached"
    except OSError:
        return "refused"
result = [reach(lambda: socket.create_connection(("127.0.0.1", 3128), 3)), reach(lambda: socket.socket())]""")
        self.assertEqual(done["result"], ["refused", "refused"])

    def test_a_proxy_that_dies_ends_the_network_and_not_the_run(self):
        words = ["run", "--json", *self.tier_flags, "--network", "allow:a.example", "--timeout",
                 f"{PATIENCE_MS * casemate.SLOW}ms", "-c", FETCH + """
s = dial()
print("up", flush=True)
s.settimeout(60)
result = s.recv(100).decode()"""]
        process = casemate.start(words, env=self.env, stdout=subprocess.PIPE)
        try:
            self.assertFalse(casemate.settle(lambda: not egress.children(process.pid, "casemate-egress"), 60))
            proxy = egress.children(process.pid, "casemate-egress")[0]
            # Only a client that it has taken is told.
            casemate.settle(lambda: len(os.listdir(f"/proc/{proxy}/task")) < 2, 60)
            os.kill(proxy, signal.SIGKILL)
            out, _ = process.communicate(timeout=PATIENCE_MS / 1000 * casemate.SLOW)
        finally:
            casemate.finish(process)
        done = json.loads(out)
        self.assertEqual((done["status"], done["result"]), ("ok", ""), done)
        self.assertIn("egress proxy", self.denied(done))

    def test_nothing_is_left_when_the_engine_is_killed(self):
        """What is left of it is also looked for when all of these tests are over."""
        words = ["run", "--json", *self.tier_flags, "--network", "allow:a.example", "-c", FETCH + """
held = [dial() for _ in range(10)]
time.sleep(60)"""]
        process = casemate.start(words, env=self.env, stdout=subprocess.PIPE)
        try:
            self.assertFalse(casemate.settle(lambda: not egress.children(process.pid, "casemate-egress"), 60))
            proxy = egress.children(process.pid, "casemate-egress")[0]
            late = casemate.settle(lambda: len(os.listdir(f"/proc/{proxy}/task")) < 11, 60)
            self.assertFalse(late, "its connections did not arrive")
        finally:
            process.kill()
            casemate.finish(process)
            process.stdout.close()
        self.assertFalse(casemate.settle(lambda: os.path.exists(f"/proc/{proxy}/exe"), 5))
        # As of any run that was killed, its cgroups, which are empty, wait for the next run or for this.
        done = casemate.run(["gc"], env=self.env)
        self.assertEqual(done.code, 0, done.stdout + done.stderr)

    def test_what_was_said_last_goes_out(self):
        result, done = self.result(FETCH + """
s = dial()
s.sendall(b"GET http://late.example/ HTTP/1.1\\r\\nHost: late.example\\r\\n\\r\\n")
result = 1""")
        self.assertEqual(result, 1)
        self.assertEqual(set(self.denied(done)), {"late.example:80"})


# Put in front of programs that turn on what carries their connections. /proc may not show it; a signal finds it.
TURN = FETCH + """
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
def others():
    own = {int(name) for name in os.listdir("/proc/self/task")}
    found = []
    for pid in range(2, 100):
        try:
            os.kill(pid, 0)
        except OSError:
            continue
        if pid not in own:
            found.append(pid)
    return found
def reaches(act):
    try:
        return act() is not None
    except OSError:
        return False
def called(*words):
    got = libc.syscall(*words)
    return got if got >= 0 else None
"""


@unittest.skipUnless(BESIDE, "the wire's inner end is out of this tier's program's sight")
class Beside(Wired, egress.Base):
    """The process beside the program that carries its connections: it can be ended, and nothing is won by that."""

    def test_nothing_is_taken_from_it(self):
        result, _ = self.result(TURN + """
PTRACE_ATTACH, PTRACE_SEIZE, PIDFD_OPEN, PIDFD_GETFD, PTRACE, VM_READV, KCMP = 16, 0x4206, 434, 438, 101, 310, 312
fetch(10)
result = {"others": len(others()), "reached": [], "listed": []}
for pid in [1] + others():
    for name in ("mem", "maps", "environ", "exe", "cwd", "root", "fd/0", "fd/1", "fd/3"):
        place = f"/proc/{pid}/{name}"
        if reaches(lambda: os.open(place, os.O_RDONLY | os.O_NONBLOCK)) or reaches(lambda: os.readlink(place)):
            result["reached"].append(place)
    for name in ("fd", "map_files", f"task/{pid}/fd"):
        if reaches(lambda: os.listdir(f"/proc/{pid}/{name}")):
            result["listed"].append(f"/proc/{pid}/{name}")
    for what, words in {"attach": (PTRACE, PTRACE_ATTACH, pid, 0, 0), "seize": (PTRACE, PTRACE_SEIZE, pid, 0, 0),
                        "vm": (VM_READV, pid, 0, 0, 0, 0, 0), "kcmp": (KCMP, os.getpid(), pid, 0, 1, 1)}.items():
        if called(*words) is not None:
            result["reached"].append(f"{what} {pid}")
    pidfd = called(PIDFD_OPEN, pid, 0)
    for fd in range(5) if pidfd is not None else []:
        if called(PIDFD_GETFD, pidfd, fd, 0) is not None:
            result["reached"].append(f"pidfd_getfd {pid} {fd}")
""")
        listed = result.pop("listed")
        self.assertEqual(result, {"others": 1, "reached": []})
        # gVisor tells the numbers of any process's descriptors, and opens none.
        if TIER != "gvisor":
            self.assertEqual(listed, [])

    def test_the_program_has_no_end_of_it(self):
        result, _ = self.result(TURN + """
import stat
pipes = [fd for fd in range(3, 4096) if reaches(lambda: stat.S_ISFIFO(os.fstat(fd).st_mode) or None)]
sockets = [fd for fd in range(0, 4096) if reaches(lambda: stat.S_ISSOCK(os.fstat(fd).st_mode) or None)]
result = [pipes, sockets]""")
        # Its result channel; the request channel is at its end by then.
        self.assertEqual(result, [[1101], []])

    def test_a_program_that_kills_it_has_lost_its_network_and_nothing_else(self):
        result, done = self.result(TURN + """
before = fetch(10)
held = dial()
for pid in others():
    os.kill(pid, signal.SIGKILL)
try:
    held.sendall(b"x")
    ended = held.recv(10)
except ConnectionError:
    ended = b""
try:
    dial()
    again = "reached"
except OSError:
    again = "refused"
result = [before, ended.decode(), again]""")
        self.assertEqual(result, [10, "", "refused"])

    def test_no_other_signal_does_anything_to_it(self):
        result, _ = self.result(TURN + """
for pid in others():
    for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
        os.kill(pid, number)
result = [fetch(10), fetch(100_000)]""")
        self.assertEqual(result, [10, 100_000])

    def test_one_that_was_stopped_holds_up_nothing(self):
        began = time.monotonic()
        result, done = self.result(TURN + """
held = [dial() for _ in range(10)]
for s in held:
    s.sendall(b"GET " + INPUT_DATA["web"].encode() + b"/big?20000000 HTTP/1.1\\r\\nHost: "
              + INPUT_DATA["web"].encode()[7:] + b"\\r\\n\\r\\n")
    s.recv(10)
for pid in others():
    os.kill(pid, signal.SIGSTOP)
result = 1""")
        self.assertEqual((result, done["status"]), (1, "ok"))
        self.assertLess(time.monotonic() - began, 20 * casemate.SLOW)

    def test_one_that_was_stopped_puts_off_no_limit(self):
        def over_ms():
            done = super(Wired, self).asked(TURN + """
dial()
for pid in others():
    os.kill(pid, signal.SIGSTOP)
while True: pass""", timeout_ms=1000)
            self.assertEqual(done["status"], "timeout")
            return done["usage"]["wall_ms"] - 1000
        # The best of some: a busy host may take its time once.
        self.assertLess(min(over_ms() for _ in range(4)), 150 * casemate.SLOW)

    def test_it_keeps_no_run_alive(self):
        began = time.monotonic()
        result, done = self.result(TURN + """
if os.fork() == 0:
    os.setsid()
    s = dial()
    while True:
        s.sendall(b"GET http://a.example/ HTTP/1.1\\r\\nHost: a.example\\r\\n\\r\\n")
        s = dial()
time.sleep(0.3)
result = 1""")
        self.assertEqual((result, done["status"]), (1, "ok"))
        self.assertLess(time.monotonic() - began, 20 * casemate.SLOW)

    def test_it_is_none_of_the_programs_processes(self):
        count = """
import os, time
started = 0
try:
    while started < 60:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        started += 1
except OSError:
    pass
result = started"""
        started = {}
        for network in ("none", "allow:a.example"):
            done = casemate.run_json(*self.tier_flags, "--pids-limit", "20", "--network", network, "-c", count,
                                     env=self.env, deadline=120)
            started[network] = done["result"]
        self.assertLess(started["none"], 21)
        self.assertEqual(started["none"], started["allow:a.example"])


def main():
    casemate.require_binary()
    casemate.adopt_orphans()
    with contextlib.ExitStack() as stack:
        if TIER == "docker":
            folder = stack.enter_context(casemate.scratch("egress_docker"))
            # Not below /tmp, where a sandbox has nothing of the host's.
            place = os.path.dirname(os.path.realpath(casemate.BINARY))
            python = stack.enter_context(tempfile.TemporaryDirectory(dir=place))
            try:
                engine = stack.enter_context(Engine(folder))
            except Unavailable as reason:
                print(f"skipped: no Docker Engine can be started here: {reason}")
                return SKIPPED
            subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", python], check=True)
            ENVIRONMENT.update(DOCKER_HOST=engine.host, CASEMATE_PYTHON=f"{python}/bin/python")
        folder = stack.enter_context(casemate.scratch("egress_wire"))
        env = casemate.environment(CASEMATE_STATE_DIR=folder, **ENVIRONMENT)
        probe = casemate.run_json(*FLAGS[TIER], "-c", "pass", env=env, deadline=600)
        if TIER == "microvm":
            IMAGES.append(f"{folder}/microvm")
        if probe["status"] == "unavailable" and os.environ.get("CASEMATE_TEST_MICROVM") != "1":
            print(f"skipped: {probe['error']['message']}")
            return SKIPPED
        return 0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
