"""A resident engine of a test's own, and HTTP at its socket."""

import http.client
import json
import os
import resource
import select
import signal
import socket
import subprocess

import casemate


def children(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += casemate.read_bytes(f"/proc/{pid}/task/{task}/children").split()
    except OSError:
        pass  # gone by now
    return [int(child) for child in found]


def started(pid):
    """When it was, in ticks since the host's start; None when it is gone."""
    try:
        return int(casemate.read_bytes(f"/proc/{pid}/stat").rsplit(b")", 1)[1].split()[19])
    except OSError:
        return None


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("casemate", timeout=60 * casemate.SLOW)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """A `casemate serve` of its own."""

    OPEN_FILES = None  # its hard limit; None: that of the tests

    def __init__(self, path, env, *flags):
        self.path = str(path)
        self.process = casemate.start(["serve", "--socket", self.path, *flags], env=env, stderr=subprocess.PIPE,
                                      preexec_fn=self.limit if self.OPEN_FILES else None)
        ready, _, _ = select.select([self.process.stderr], [], [], 30 * casemate.SLOW)
        self.first_line = os.read(self.process.stderr.fileno(), 4096).decode() if ready else "(silence)"

    def limit(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.OPEN_FILES, self.OPEN_FILES))

    def ask(self, method, target, body=None, headers=None):
        connection = UnixConnection(self.path)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def run(self, **request):
        status, body = self.ask("POST", "/v1/run", json.dumps(request))
        return status, json.loads(body)

    def health(self):
        return json.loads(self.ask("GET", "/v1/health")[1])

    def answers(self):
        try:
            return self.health()["running"] >= 0
        except (OSError, http.client.HTTPException):
            return False

    def zygotes(self):
        """Its zygotes: the eldest children of inits that it started. Others are programs of cold runs."""
        found = []
        for init in children(self.process.pid):
            # Numbers begin anew after the largest one: age tells, not number.
            for _, pid in sorted((age, pid) for pid in children(init) if (age := started(pid)))[:1]:
                try:
                    if b"zygote" in casemate.read_bytes(f"/proc/{pid}/cmdline"):
                        found.append(pid)
                except OSError:
                    continue
        return found

    def wait_for_runs(self, count):
        return casemate.settle(lambda: self.health()["running"] != count, 20)

    def end(self, number=signal.SIGTERM):
        """Sends a signal; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(60 * casemate.SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
        casemate.finish(self.process)
        self.process.stderr.close()
        return self.process.returncode
