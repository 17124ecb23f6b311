"""A strict server of Vault's HTTP API, from its documentation: it refuses whatever the documented protocol does not
allow, and keeps what it saw. `hvac`, the public client, is checked against it too (test_vault.py)."""

import http.server
import json
import secrets
import ssl
import threading
import time
import urllib.parse


class Vault:
    """The state: mounts, secrets, logins, leases."""

    def __init__(self):
        self.lock = threading.RLock()
        self.root = "hvs." + secrets.token_hex(12)
        self.tokens = {self.root: {"policies": ["root"], "until": None}}
        self.mounts = {
            "secret/": ("kv", "2"),
            "kv1/": ("kv", "1"),
            "team/deep/kv/": ("kv", "2"),
            "database/": ("database", None),
        }
        self.v2, self.v1 = {}, {}
        self.approle = {"role-1": "secret-id-1"}
        self.users = {"ann": "correct horse"}
        self.kubernetes = {"app": "jwt-of-the-pod"}
        self.wrapped = {}
        self.leases = {}
        self.namespace = ""
        self.token_ttl = 3600
        self.lease_ttl = 3600
        self.seen = []
        self.failures = []  # (status, headers, body) to give first
        self.delay = 0.0

    def issue(self, **extra):
        token = "hvs." + secrets.token_hex(12)
        self.tokens[token] = {"policies": ["app"], "until": time.monotonic() + self.token_ttl}
        return {
            "request_id": secrets.token_hex(8),
            "lease_id": "",
            "renewable": False,
            "lease_duration": 0,
            "data": None,
            "auth": {
                "client_token": token,
                "accessor": secrets.token_hex(6),
                "policies": ["app"],
                "token_policies": ["app"],
                "metadata": {},
                "lease_duration": self.token_ttl,
                "renewable": True,
                "token_type": "service",
                **extra,
            },
        }

    def put(self, path, fields):
        mount = next(m for m in self.mounts if path.startswith(m))
        if self.mounts[mount][1] == "2":
            self.v2.setdefault(path, []).append({"data": fields, "deleted": ""})
        else:
            self.v1[path] = fields

    def mount_of(self, path):
        return next((m for m in self.mounts if (path + "/").startswith(m)), None)

    def valid(self, token):
        entry = self.tokens.get(token)
        return entry is not None and (entry["until"] is None or time.monotonic() < entry["until"])


def envelope(data, **members):
    return {
        "request_id": secrets.token_hex(8),
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": data,
        "wrap_info": None,
        "warnings": None,
        "auth": None,
        **members,
    }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    vault = None

    def log_message(self, *words):
        pass

    def answer(self, status, body=None, headers=()):
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, *errors):
        self.answer(status, {"errors": list(errors)})

    def body(self):
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        return json.loads(text) if text else {}

    def serve(self):
        vault = self.vault
        url = urllib.parse.urlsplit(self.path)
        body = self.body()
        with vault.lock:
            vault.seen.append((self.command, self.path, dict(self.headers)))
            failure = vault.failures.pop(0) if vault.failures else None
        if vault.delay:
            time.sleep(vault.delay)
        if failure:
            status, headers, text = failure
            return self.answer(status, text, headers)
        if not url.path.startswith("/v1/"):
            return self.refuse(404)
        path = url.path[4:]
        if self.headers.get("X-Vault-Namespace", "").strip("/") != vault.namespace:
            return self.refuse(404, "no handler for route")
        with vault.lock:
            if path.startswith("auth/") and "/login" in path:
                return self.log_in(path, body)
            if path == "sys/wrapping/unwrap" and self.command in ("POST", "PUT"):
                token = body.get("token") or self.headers.get("X-Vault-Token", "")
                if token not in vault.wrapped:
                    return self.refuse(400, "wrapping token is not valid or does not exist")
                return self.answer(200, vault.wrapped.pop(token))
            token = self.headers.get("X-Vault-Token", "")
            if not vault.valid(token):
                return self.refuse(403, "permission denied")
            return self.route(path, urllib.parse.parse_qs(url.query), body, token)

    do_GET = do_POST = do_PUT = do_DELETE = do_LIST = serve

    def log_in(self, path, body):
        vault = self.vault
        if self.command not in ("POST", "PUT"):
            return self.refuse(405, "unsupported operation")
        if path == "auth/approle/login" or path == "auth/other-role/login":
            ok = vault.approle.get(body.get("role_id")) == body.get("secret_id")
            return self.answer(200, vault.issue()) if ok else self.refuse(400, "invalid role or secret ID")
        if path == "auth/kubernetes/login":
            ok = vault.kubernetes.get(body.get("role")) == body.get("jwt")
            return self.answer(200, vault.issue()) if ok else self.refuse(403, "permission denied")
        if path.startswith("auth/userpass/login/"):
            ok = vault.users.get(path[20:]) == body.get("password")
            return self.answer(200, vault.issue()) if ok else self.refuse(400, "invalid username or password")
        return self.refuse(404, "no handler for route")

    def route(self, path, query, body, token):
        vault = self.vault
        if path == "auth/token/lookup-self":
            return self.answer(200, envelope({"id": token, "policies": ["app"]}))
        if path == "auth/token/revoke-self" and self.command in ("POST", "PUT"):
            del vault.tokens[token]
            return self.answer(204)
        if path.startswith("sys/internal/ui/mounts/"):
            mount = vault.mount_of(path[23:])
            if mount is None:
                return self.refuse(403, "preflight capability check returned 403")
            kind, version = vault.mounts[mount]
            return self.answer(
                200, envelope({"path": mount, "type": kind, "options": {"version": version} if version else None})
            )
        if path in ("sys/leases/renew", "sys/leases/revoke") and self.command in ("PUT", "POST"):
            lease = body.get("lease_id")
            if lease not in vault.leases:
                return self.refuse(400, "lease not found")
            if path.endswith("revoke"):
                del vault.leases[lease]
                return self.answer(204)
            vault.leases[lease] = time.monotonic() + vault.lease_ttl
            return self.answer(200, envelope(None, lease_id=lease, renewable=True, lease_duration=vault.lease_ttl))
        mount = vault.mount_of(path)
        if mount is None:
            return self.refuse(404, "no handler for route")
        kind, version = vault.mounts[mount]
        rest = path[len(mount) :]
        if kind == "database":
            if not rest.startswith("creds/") or self.command != "GET":
                return self.refuse(405, "unsupported operation")
            lease = f"{mount}creds/{rest[6:]}/{secrets.token_hex(8)}"
            vault.leases[lease] = time.monotonic() + vault.lease_ttl
            return self.answer(
                200,
                envelope(
                    {"username": "v-" + lease[-8:], "password": "dynamic-" + lease[-16:]},
                    lease_id=lease,
                    renewable=True,
                    lease_duration=vault.lease_ttl,
                ),
            )
        return self.kv(mount, rest, version, query, body)

    def kv(self, mount, rest, version, query, body):
        vault = self.vault
        if version == "1":
            if self.command in ("POST", "PUT"):
                vault.v1[mount + rest] = body
                return self.answer(204)
            fields = vault.v1.get(mount + rest)
            return (
                self.answer(200, envelope(fields, lease_duration=2764800)) if fields is not None else self.refuse(404)
            )
        if not rest.startswith("data/"):
            return self.refuse(404, "Invalid path for a versioned K/V secrets engine")
        versions = vault.v2.get(mount + rest[5:], [])
        if self.command in ("POST", "PUT"):
            vault.v2.setdefault(mount + rest[5:], []).append({"data": body["data"], "deleted": ""})
            return self.answer(200, envelope({"version": len(vault.v2[mount + rest[5:]])}))
        number = int(query.get("version", ["0"])[0]) or len(versions)
        if number > len(versions) or number < 1:
            return self.refuse(404)
        entry = versions[number - 1]
        metadata = {
            "created_time": "2026-01-01T00:00:00Z",
            "custom_metadata": None,
            "deletion_time": entry["deleted"],
            "destroyed": False,
            "version": number,
        }
        if entry["deleted"]:
            return self.answer(404, envelope({"data": None, "metadata": metadata}))
        return self.answer(200, envelope({"data": entry["data"], "metadata": metadata}))


class Server:
    """A Vault on a port of 127.0.0.1; with `certificate` (a PEM file) over TLS."""

    def __init__(self, certificate=None):
        self.vault = Vault()
        handler = type("BoundHandler", (Handler,), {"vault": self.vault})
        # Ten clients at once are what some tests are about: none may have to come again.
        server = type("BoundServer", (http.server.ThreadingHTTPServer,), {"request_queue_size": 128})
        self.server = server(("127.0.0.1", 0), handler)
        # A client that hangs up is what some tests are about.
        self.server.handle_error = lambda *words: None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.address = f"{'https' if certificate else 'http'}://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
