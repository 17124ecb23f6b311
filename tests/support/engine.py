"""A resident engine of a test's own, and HTTP at its socket."""

import http.client
import json
import os
import select
import signal
import socket
import subprocess

import casemate


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

    def __init__(self, path, env, *flags):
        self.path = str(path)
        self.process = casemate.start(["serve", "--socket", self.path, *flags], env=env, stderr=subprocess.PIPE)
        ready, _, _ = select.select([self.process.stderr], [], [], 30 * casemate.SLOW)
        self.first_line = os.read(self.process.stderr.fileno(), 4096).decode() if ready else "(silence)"

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
