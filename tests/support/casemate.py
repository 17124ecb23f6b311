"""Runs the `casemate` binary for the system tests and looks at the host before and after."""

import contextlib
import ctypes
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CASEMATE") or os.environ.get("CASEMATE_BINARY") or str(REPOSITORY / "build" / "casemate")
# Emulated or instrumented hosts are slower: every bound on time is multiplied by this.
SLOW = float(os.environ.get("CASEMATE_TEST_SLOW", "1"))
# Sanitizers multiply memory; bounds on the supervisor's own memory say nothing then.
SANITIZED = os.environ.get("CASEMATE_TEST_SANITIZED", "") == "1"

# An engine that is resident on this host is none of the tests' unless they are told so.
os.environ.setdefault("CASEMATE_SOCKET", "")

STATUSES = {
    "ok",
    "error",
    "timeout",
    "cpu_limit",
    "memory_limit",
    "process_limit",
    "disk_limit",
    "output_limit",
    "result_invalid",
    "rejected",
    "denied",
    "cancelled",
    "unavailable",
    "failed",
}
# Of `casemate run`; "error" has the program's own.
EXIT_CODES = {
    "ok": 0,
    "timeout": 124,
    "cpu_limit": 152,
    "memory_limit": 137,
    "process_limit": 122,
    "disk_limit": 153,
    "output_limit": 141,
    "result_invalid": 123,
    "rejected": 126,
    "denied": 159,
    "unavailable": 126,
    "failed": 125,
}
FIELDS = {
    "id",
    "status",
    "exit_code",
    "signal",
    "stdout",
    "stderr",
    "truncated",
    "result",
    "displays",
    "files",
    "error",
    "denials",
    "checks",
    "findings",
    "usage",
    "timings",
    "isolation",
    "policy",
    "environment",
    "code_sha256",
}
CLAUSES = {
    "wall_time",
    "cpu_time",
    "cpu_share",
    "memory",
    "processes",
    "disk",
    "file_size",
    "open_files",
    "output",
    "filesystem",
    "network",
    "pid_space",
    "identity",
    "privileges",
    "syscalls",
    "teardown",
}


def strict_json(text):
    """Parses what RFC 8259 and every reader agree on: no NaN, no key twice, no lone surrogate."""

    def no_constant(word):
        raise ValueError(f"{word} is not JSON")

    def no_duplicates(pairs):
        value = dict(pairs)
        if len(value) != len(pairs):
            raise ValueError("a key twice")
        return value

    value = json.loads(text, parse_constant=no_constant, object_pairs_hook=no_duplicates)
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


class Done:
    """What came of one run of the binary."""

    def __init__(self, code, stdout, stderr, seconds, rss_bytes, hung):
        self.code, self.stdout, self.stderr = code, stdout, stderr
        self.seconds, self.rss_bytes, self.hung = seconds, rss_bytes, hung
        self.problem = None
        self.json = None
        if stdout.strip():
            try:
                self.json = strict_json(stdout.decode("utf-8"))
            except ValueError as error:
                self.problem = f"stdout is not one JSON object in UTF-8: {error}: {stdout[:120]!r}"

    def __getitem__(self, field):
        if not isinstance(self.json, dict):
            raise AssertionError(f"no JSON result: exit {self.code}, stderr {self.stderr[-500:]!r}")
        return self.json[field]

    def tell(self):
        """One line for a failed assertion."""
        shown = {
            k: self.json[k]
            for k in ("status", "exit_code", "signal", "error", "denials", "result")
            if isinstance(self.json, dict) and k in self.json
        }
        return f"exit {self.code} in {self.seconds:.1f} s; {str(shown)[:1500]}; stderr {self.stderr[-400:]!r}"


_live = set()
_live_lock = threading.Lock()


def adopt_orphans():
    """Makes this process the parent of whatever a dead or careless casemate leaves behind."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def environment(**changes):
    env = {k: v for k, v in os.environ.items() if not k.startswith("PROBE_")}
    env.update(changes)
    return {k: v for k, v in env.items() if v is not None}


def start(arguments, env=None, stdin=None, stdout=None, stderr=None, cwd=None, preexec_fn=None):
    with _live_lock:
        process = subprocess.Popen(
            [BINARY, *arguments],
            env=env,
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            preexec_fn=preexec_fn,
        )
        _live.add(process.pid)
    return process


def finish(process):
    process.wait()
    with _live_lock:
        _live.discard(process.pid)


def host_command(arguments):
    """Runs a tool of the host, known as ours to orphans(); its exit code."""
    with _live_lock:
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _live.add(process.pid)
    finish(process)
    return process.returncode


@contextlib.contextmanager
def scratch(name):
    """A folder that a program may have filled with closed folders and paths beyond PATH_MAX; removed by `rm`."""
    folder = tempfile.mkdtemp(prefix=f"casemate-{name}-")
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        host_command(["chmod", "-R", "u+rwX", "--", folder])
        host_command(["rm", "-rf", "--", folder])


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def high_water(pid):
    """The peak resident memory of one living process, its children not counted; 0 when it is gone."""
    try:
        for line in read_bytes(f"/proc/{pid}/status").decode(errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def run(arguments, stdin=b"", env=None, deadline=120, cwd=None):
    """Runs the binary to its end (or to `deadline` seconds, when it is killed and `hung` set)."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        begin = time.monotonic()
        process = start(arguments, env=env, stdin=given, stdout=out, stderr=err, cwd=cwd)
        pidfd, rss, hung = os.pidfd_open(process.pid), 0, False
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        while not poller.poll(20):
            rss = max(rss, high_water(process.pid))
            if time.monotonic() - begin > deadline * SLOW:
                hung = True
                process.kill()
        seconds = time.monotonic() - begin
        os.close(pidfd)
        finish(process)
        out.seek(0)
        err.seek(0)
        return Done(process.returncode, out.read(), err.read(), seconds, rss, hung)


def run_json(*arguments, **options):
    return run(["run", "--json", *arguments], **options)


def processes():
    """pid -> (parent, state, name) of all processes that this user may see."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            text = read_bytes(f"/proc/{entry}/stat").decode(errors="replace")
        except OSError:
            continue
        name = text[text.index("(") + 1 : text.rindex(")")]
        fields = text[text.rindex(")") + 2 :].split()
        found[int(entry)] = (int(fields[1]), fields[0], name)
    return found


def orphans():
    """Processes that were handed to this one because their parent, a casemate, is gone; zombies are reaped."""
    with _live_lock:
        known = set(_live)
        seen = processes()
    left = []
    for pid, (parent, state, name) in seen.items():
        if parent != os.getpid() or pid in known:
            continue
        if state == "Z":
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
        else:
            left.append(f"{name} ({pid}, {state})")
    return left


def enforced(result, guarantee):
    """Whether the run held it by the mechanism that is meant for it."""
    return guarantee not in {entry["guarantee"] for entry in result["isolation"]["not_enforced"]}


def marked(marker):
    """Processes whose environment holds `marker`; those of other users are seen by root only."""
    left = []
    for pid, (_, state, name) in processes().items():
        if pid == os.getpid():
            continue
        try:
            if marker.encode() in read_bytes(f"/proc/{pid}/environ"):
                left.append(f"{name} ({pid}, {state})")
        except OSError:
            continue
    return left


def settle(look, seconds=1.5):
    """Asks `look()` until it finds nothing or `seconds` have passed; what it still finds."""
    end = time.monotonic() + seconds * SLOW
    while True:
        found = look()
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.02)


def mounts():
    return {" ".join(line.split()[3:5]) for line in read_bytes("/proc/self/mountinfo").decode().splitlines()}


def cgroups():
    """Folders of the cgroup trees that are Casemate's by name."""
    found = set()
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        for name in list(names):
            path = os.path.join(folder, name)
            if name.startswith("casemate"):
                found.add(path)
            elif path.count("/") > 9:
                names.remove(name)
    return found


def cgroups_of_runs():
    """The folders of runs that are over: named casemate-NAMESPACE-PID-..., with no process of that number alive."""
    over = set()
    for path in cgroups():
        words = os.path.basename(path).split("-")
        alive = len(words) > 2 and words[2].isdigit() and os.path.exists(f"/proc/{words[2]}")
        # A parent that is kept for all runs has no number in its name.
        if len(words) > 1 and not alive:
            over.add(path)
    return over


class Traces:
    """What the host shows of past runs: compare one taken before with one taken after."""

    def __init__(self, state_dir, temporary_dir):
        self.state_dir, self.temporary_dir = state_dir, temporary_dir
        self.mounts, self.cgroups = mounts(), cgroups_of_runs()
        self.temporary = set(os.listdir(temporary_dir))
        self.state = self._state_entries()
        self.descriptors = len(os.listdir("/proc/self/fd"))

    def _state_entries(self):
        return sum(len(folders) + len(files) for _, folders, files in os.walk(self.state_dir))

    def left_since(self, cgroups_too=True):
        """Sentences, one for each thing that is here now and was not then."""

        def look():
            left = [f"mount {entry}" for entry in mounts() - self.mounts]
            if cgroups_too:
                left += [f"cgroup {path}" for path in cgroups_of_runs() - self.cgroups]
            left += [f"temporary file {name}" for name in set(os.listdir(self.temporary_dir)) - self.temporary]
            left += [f"process {text}" for text in orphans()]
            if self._state_entries() > self.state + 16:
                left.append(f"{self._state_entries() - self.state} new entries in the state folder")
            return left

        return settle(look, 3)


def require_binary():
    if not os.access(BINARY, os.X_OK):
        sys.exit(f"{BINARY} is not there: build it, or set CASEMATE to the binary to test.")


def die_with_tests():
    """Ctrl-C and SIGTERM end the tests as exceptions, so that temporary folders are removed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
