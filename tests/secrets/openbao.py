"""A real OpenBao server in memory (tools/fetch_openbao), and what its plugins ask in turn: a broker of messages whose
users are leases, and the review of a Kubernetes cluster's tokens."""

import glob
import http.server
import json
import os
import pathlib
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import casemate

ROOT_TOKEN = "root-token-of-a-test"
NOBODY = 65534


def binary():
    """The newest server that is here; None."""
    named = os.environ.get("CASEMATE_OPENBAO")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    found = [named] if named else sorted(glob.glob(os.path.join(cache, "casemate", "openbao-*", "bao")))
    return found[-1] if found and os.access(found[-1], os.X_OK) else None


def free_port():
    """A port whose successor, which the server listens at too, is free as well."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as one:
            port = one.getsockname()[1]
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except OSError:
                continue
            return port


class Bao:
    """A server of its own for one test class; as root it runs as nobody. `tls`: with a certificate that it makes."""

    def __init__(self, folder, tls=False):
        port = free_port()
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        self.authority = os.path.join(folder, "tls", "vault-ca.pem")
        words = ["server", "-dev", f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{port}"]
        words.append("-dev-no-store-token")
        os.mkdir(os.path.dirname(self.authority))
        who = {}
        if os.geteuid() == 0:
            os.chmod(folder, 0o755)
            os.chown(os.path.dirname(self.authority), NOBODY, NOBODY)
            who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        if tls:
            words += ["-dev-tls", f"-dev-tls-cert-dir={os.path.dirname(self.authority)}"]
        self.log = open(os.path.join(folder, "bao.log"), "wb")
        # By its descriptor: the folder that it lies in may be closed to nobody.
        with open(binary(), "rb") as program:
            self.process = subprocess.Popen(
                ["bao", *words],
                executable=f"/proc/self/fd/{program.fileno()}",
                pass_fds=[program.fileno()],
                env={"HOME": "/nonexistent", "PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=self.log,
                cwd="/",
                **who,
            )
        self.tls = tls
        until = time.monotonic() + 60 * casemate.SLOW
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("OpenBao does not start: " + pathlib.Path(self.log.name).read_text()[-2000:])
            time.sleep(0.05)

    def answers(self):
        try:
            return self.call("GET", "sys/health")[0] == 200
        except OSError:
            return False

    def call(self, method, path, body=None, token=ROOT_TOKEN, namespace=None, **headers):
        """Status and answer of the API."""
        import ssl

        headers = {name.replace("_", "-"): value for name, value in headers.items()} | {"X-Vault-Token": token}
        if namespace:
            headers["X-Vault-Namespace"] = namespace
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/v1/{path}", data, headers, method=method)
        context = ssl.create_default_context(cafile=self.authority) if self.tls else None
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else {}
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def must(self, method, path, body=None, **options):
        status, answer = self.call(method, path, body, **options)
        if status >= 300:
            raise AssertionError(f"{method} {path}: {status} {answer}")
        return answer

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


class Beside:
    """What OpenBao's plugins ask: RabbitMQ's management API and Kubernetes' TokenReview."""

    def __init__(self):
        seen = self.seen = []
        users = self.users = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *words):
                pass

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                seen.append((self.command, self.path, time.monotonic()))
                answer, status = {}, 200
                if self.path.endswith("/tokenreviews"):
                    token = json.loads(body)["spec"]["token"]
                    user = {"username": "system:serviceaccount:default:app", "uid": "u",
                            "groups": ["system:serviceaccounts"]}
                    answer = {"status": {"authenticated": token.count(".") == 2, "user": user}}
                elif self.path.startswith("/api/users/"):
                    name = self.path.rsplit("/", 1)[1]
                    (users.discard if self.command == "DELETE" else users.add)(name)
                    status = 204
                text = json.dumps(answer).encode() if status == 200 else b""
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = serve

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
