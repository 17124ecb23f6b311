#!/usr/bin/env python3
"""What a program reaches by the egress proxy and what it does not: cold, and in the warm cells of a resident engine.

Every server is the tests' own, on the host's loopback, which only an allowlist that names its address reaches."""

import json
import os
import pathlib
import shutil
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import casemate  # noqa: E402
import servers  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine  # noqa: E402

# Put in front of programs: speaks to the proxy by itself.
RAW = """
import json, os, socket, ssl
def proxy(*pieces, end=False, wait=8):
    with socket.create_connection(("127.0.0.1", 3128), wait) as s:
        for piece in pieces:
            s.sendall(piece)
        if end:
            s.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while more := s.recv(65536):
                answer += more
        except OSError as error:
            answer += b"!" + type(error).__name__.encode()
        return answer.decode("latin-1")
def hello(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()
def connect(target):
    s = socket.create_connection(("127.0.0.1", 3128), 8)
    s.sendall(f"CONNECT {target} HTTP/1.1\\r\\nHost: {target}\\r\\n\\r\\n".encode())
    answer = b""
    while b"\\r\\n\\r\\n" not in answer:
        answer += s.recv(1)
    return s, int(answer.split()[1])
"""


class Base(Case):
    # Of the tier, in front of all other words.
    tier_flags = []
    # Whether a connect past the proxy is told; it is refused in any tier.
    tells_connects = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.context, cls.certificate = servers.certificate(cls.folder, "web.example", "*.deep.example")
        cls.web, cls.secure = servers.Web(), servers.Web(cls.context)
        cls.addClassCleanup(cls.web.end)
        cls.addClassCleanup(cls.secure.end)
        cls.engine = None
        # What the proxy checks servers against.
        cls.env["SSL_CERT_FILE"] = cls.certificate

    def network(self, *more, **fields):
        """An allowlist with the two web servers under names, at the loopback's address."""
        allow = [f"web.example:{self.web.port}", f"web.example:{self.secure.port}", *more]
        allow += [f"127.0.0.1:{self.web.port}", f"127.0.0.1:{self.secure.port}"]
        return {"allow": allow, "hosts": {"web.example": ["127.0.0.1"]}, **fields}

    def asked(self, code, network=None, timeout_ms=20000, **request):
        """A run of `code`; the servers' addresses are in INPUT_DATA."""
        given = {"web": f"http://web.example:{self.web.port}", "secure": f"https://web.example:{self.secure.port}",
                 "port": self.web.port, "secure_port": self.secure.port, **request.pop("input", {})}
        network = network or self.network()
        if self.engine:
            _, done = self.engine.run(code=code, input=given, network=network,
                                      limits={"wall_time_ms": timeout_ms * casemate.SLOW}, **request)
            return done
        words = ["--network", json.dumps(network), "--input", json.dumps(given)]
        words += ["--timeout", f"{timeout_ms * casemate.SLOW}ms", *request.pop("flags", []), "-c", code]
        done = self.run_json(*self.tier_flags, *words)
        return done.json

    def result(self, code, **options):
        done = self.asked(code, **options)
        self.assertEqual(done["status"], "ok", json.dumps(done)[:3000])
        return done["result"], done

    def denied(self, done):
        return {denial["what"]: denial["remedy"] for denial in done["denials"] if denial["kind"] == "network"}


class Reached(Base):
    """What must work."""

    def test_urllib_over_http_and_https(self):
        result, done = self.result(
            "import urllib.request, ssl\n"
            "context = ssl.create_default_context(cadata=INPUT_DATA['ca'])\n"
            "plain = urllib.request.urlopen(INPUT_DATA['web'] + '/a?b=c', b'body').read()\n"
            "secure = urllib.request.urlopen(INPUT_DATA['secure'] + '/d', context=context).read()\n"
            "import json\nresult = [json.loads(plain), json.loads(secure)]",
            input={"ca": pathlib.Path(self.certificate).read_text()})
        self.assertEqual([(r["method"], r["path"], r["body"]) for r in result],
                         [("POST", "/a?b=c", "body"), ("GET", "/d", "")])
        self.assertEqual(result[0]["headers"]["host"], f"web.example:{self.web.port}")
        self.assertNotIn("proxy-connection", result[0]["headers"])
        self.assertEqual(done["denials"], [])
        reached = {(a["destination"], a["address"], a["allowed"]) for a in done["network"]}
        self.assertEqual(reached, {(f"web.example:{self.web.port}", "127.0.0.1", True),
                                   (f"web.example:{self.secure.port}", "127.0.0.1", True)})
        self.assertTrue(all(a["bytes_sent"] > 50 and a["bytes_received"] > 50 for a in done["network"]))

    def test_a_loopback_address_that_is_named(self):
        result, _ = self.result("import urllib.request\n"
                                "result = urllib.request.urlopen(f\"http://127.0.0.1:{INPUT_DATA['port']}/\").status")
        self.assertEqual(result, 200)

    def test_http_that_is_kept_alive_chunked_and_large(self):
        result, _ = self.result(RAW + """
import http.client
c = http.client.HTTPConnection("127.0.0.1", 3128)
def ask(*args, **more):
    c.request(*args, **more)
    r = c.getresponse()
    return r.status, r.read()
web = INPUT_DATA["web"]
result = [len(ask("GET", web + "/big?3000000")[1]),
          json.loads(ask("PUT", web + "/x", iter([b"a" * 70000, b"b"]), headers={"Transfer-Encoding": "chunked"},
                         encode_chunked=True)[1])["body"].count("a"),
          ask("HEAD", web + "/big?10"), json.loads(ask("GET", web + "/")[1])["path"]]
result[2] = [result[2][0], len(result[2][1])]""")
        self.assertEqual(result, [3000000, 70000, [200, 0], "/"])

    @unittest.skipUnless(shutil.which("curl") and shutil.which("git"), "needs curl and git on the host")
    def test_common_clients_as_they_are(self):
        result, done = self.result("""
import subprocess
def run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=15).returncode
web, secure = INPUT_DATA["web"], INPUT_DATA["secure"]
result = [run("curl", "-sf", web), run("curl", "-sfk", secure),
          run("git", "-c", "http.sslVerify=false", "ls-remote", secure + "/repository"),
          run("curl", "-sf", "http://other.example/")]""")
        self.assertEqual(result[:2], [0, 0])
        agents = {told["headers"].get("user-agent", "").split("/")[0] for told in self.secure.asked}
        self.assertLessEqual({"curl", "git"}, agents)
        self.assertEqual(result[3], 22)
        self.assertEqual(list(self.denied(done)), ["other.example:80"])

    def test_socks_by_name_and_address(self):
        result, _ = self.result(RAW + """
def socks(kind, host, port, data):
    with socket.create_connection(("127.0.0.1", 3128), 8) as s:
        s.sendall(b"\\x05\\x01\\x00")
        assert s.recv(2) == b"\\x05\\x00"
        s.sendall(b"\\x05\\x01\\x00" + bytes([kind]) + host + port.to_bytes(2, "big"))
        reply = s.recv(10)[1]
        if reply:
            return reply
        s.sendall(data)
        return s.recv(65536).decode("latin-1").split("\\r\\n")[0]
port, get = INPUT_DATA["port"], b"GET / HTTP/1.1\\r\\nHost: web.example:%d\\r\\nConnection: close\\r\\n\\r\\n"
literal = b"GET / HTTP/1.1\\r\\nHost: 127.0.0.1:%d\\r\\nConnection: close\\r\\n\\r\\n"
result = [socks(3, b"\\x0bweb.example", port, get % port), socks(1, bytes([127, 0, 0, 1]), port, literal % port),
          socks(3, b"\\x0bweb.example", 22, b""), socks(4, bytes(15) + b"\\x01", port, b"")]""")
        self.assertEqual(result, ["HTTP/1.1 200 OK", "HTTP/1.1 200 OK", 2, 2])

    def test_another_protocol_where_the_server_speaks_first(self):
        def greet(peer):
            peer.sendall(b"hello\n")
            peer.sendall(b"you said " + peer.recv(100))
        server = servers.Raw(greet)
        self.addCleanup(server.end)
        network = {"allow": [f"127.0.0.1:{server.port}"]}
        result, _ = self.result(RAW + """
s, status = connect("127.0.0.1:%d" % INPUT_DATA["other"])
first = s.recv(100)
s.sendall(b"something")
result = [status, first.decode(), s.recv(100).decode()]""", network=network, input={"other": server.port})
        self.assertEqual(result, [200, "hello\n", "you said something"])

    def test_a_suffix_and_rules_of_methods_and_paths(self):
        network = self.network("*.deep.example:%d" % self.web.port)
        network["allow"].append({"to": f"rules.example:{self.web.port}", "methods": ["GET"], "paths": ["/v1/*"]})
        network["hosts"].update({"a.deep.example": ["127.0.0.1"], "deep.example": ["127.0.0.1"],
                                 "rules.example": ["127.0.0.1"]})
        result, done = self.result("""
import urllib.request, urllib.error
def ask(host, path, data=None):
    try:
        return urllib.request.urlopen(f"http://{host}:{INPUT_DATA['port']}{path}", data).status
    except urllib.error.HTTPError as error:
        return error.code
result = [ask("a.deep.example", "/"), ask("deep.example", "/"), ask("rules.example", "/v1/a?x"),
          ask("rules.example", "/v1/a", b"x"), ask("rules.example", "/v2"), ask("rules.example", "/v1/../v2"),
          ask("rules.example", "/v1/%2e%2e/v2")]""", network=network)
        self.assertEqual(result, [200, 403, 200, 403, 403, 403, 403])
        self.assertEqual(set(self.denied(done)), {f"deep.example:{self.web.port}", f"rules.example:{self.web.port}"})

    def test_the_loopback_is_the_programs_own(self):
        result, _ = self.result("""
import socket
listener = socket.create_server(("127.0.0.1", 0))
caller = socket.create_connection(listener.getsockname())
result = listener.accept()[0].send(b"x")""")
        self.assertEqual(result, 1)


class Refused(Base):
    """What must not, and how it is told."""

    def test_what_is_not_in_the_list(self):
        result, done = self.result("""
import urllib.request, urllib.error, socket
def ask(url):
    try:
        return urllib.request.urlopen(url, timeout=8).status
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]
    except OSError as error:
        return str(error)
result = [ask("http://other.example/"), ask("https://other.example/"), ask("http://web.example/"),
          ask("http://169.254.169.254/latest/meta-data/")]
try:
    socket.create_connection(("192.0.2.1", 443), 3)
except OSError as error:
    result.append(error.strerror)""")
        self.assertEqual(result[0][0], 403)
        self.assertIn("other.example is not in the allowlist; add other.example to --network allow:", result[0][1])
        self.assertIn("403", result[1])
        self.assertEqual(result[4], "Network is unreachable")
        denied = self.denied(done)
        told = {"connect 192.0.2.1:443"} if self.tells_connects else set()
        self.assertEqual(set(denied), {"other.example:80", "other.example:443", "web.example:80",
                                       "169.254.169.254:80"} | told)
        self.assertIn("port 80 of web.example is not in the allowlist", denied["web.example:80"])
        for what in told:
            self.assertIn("HTTPS_PROXY", denied[what])
        self.assertFalse(any(a["allowed"] for a in done["network"]))

    def test_addresses_of_special_purpose_by_name(self):
        names = {"loop.example": "127.0.0.1", "private.example": "10.1.2.3", "metadata.example": "169.254.169.254",
                 "mapped.example": "::ffff:127.0.0.1", "six.example": "::1", "nat64.example": "64:ff9b::7f00:1",
                 "ula.example": "fd00:ec2::254"}
        network = {"allow": [f"*.example.test:{self.web.port}"] + [f"{name}:{self.web.port}" for name in names],
                   "hosts": {name: [address] for name, address in names.items()}}
        result, done = self.result("""
import urllib.request, urllib.error
result = {}
for name in INPUT_DATA["names"]:
    try:
        result[name] = urllib.request.urlopen(f"http://{name}:{INPUT_DATA['port']}/", timeout=5).status
    except urllib.error.HTTPError as error:
        result[name] = error.code""", network=network, input={"names": list(names)})
        self.assertEqual(result, {name: 403 for name in names})
        self.assertEqual(len(self.denied(done)), len(names))
        self.assertIn("this host's loopback", self.denied(done)[f"loop.example:{self.web.port}"])

    def test_a_redirect_to_a_private_address(self):
        result, done = self.result("""
import urllib.request, urllib.error
result = []
for target in ("http://169.254.169.254/latest", "http://10.0.0.1/", "http://localhost:%d/" % INPUT_DATA["port"]):
    try:
        urllib.request.urlopen(INPUT_DATA["web"] + "/redirect?" + target, timeout=8)
    except urllib.error.HTTPError as error:
        result.append(error.code)
    except OSError as error:
        result.append("none")""")
        # The last is, by NO_PROXY, the sandbox's own loopback, where nobody is.
        self.assertEqual(result, [403, 403, "none"])
        self.assertEqual(set(self.denied(done)), {"169.254.169.254:80", "10.0.0.1:80"})

    def test_fronting(self):
        """One name for the proxy and another for the server: in TLS, in Host, inside a tunnel."""
        result, done = self.result(RAW + """
port, secure = INPUT_DATA["port"], INPUT_DATA["secure_port"]
s, status = connect("web.example:%d" % secure)
s.sendall(hello("evil.example"))
tls = s.recv(100)
s, _ = connect("web.example:%d" % secure)
s.sendall(hello(None))
nameless = s.recv(100)
s, _ = connect("web.example:%d" % secure)
for byte in hello("web.example"):
    s.sendall(bytes([byte]))
good = s.recv(5)
host = proxy(b"GET http://web.example:%d/ HTTP/1.1\\r\\nHost: evil.example\\r\\n\\r\\n" % port)
s, _ = connect("web.example:%d" % port)
s.sendall(b"GET / HTTP/1.1\\r\\nHost: evil.example\\r\\n\\r\\n")
inside = s.recv(100).decode()
result = [status, tls.hex(), nameless.hex(), good[0], host.split("\\r\\n")[0], inside.split("\\r\\n")[0]]""")
        self.assertEqual(result, [200, "15030300020270", "15030300020270", 22, "HTTP/1.1 403 Forbidden",
                                  "HTTP/1.1 403 Forbidden"])
        remedies = " ".join(self.denied(done).values())
        self.assertIn("evil.example", remedies)

    def test_smuggled_requests(self):
        before = len(self.web.asked)
        result, _ = self.result(RAW + """
web = INPUT_DATA["web"].encode()
head = b"POST " + web + b"/ HTTP/1.1\\r\\nHost: " + web[7:] + b"\\r\\n"
result = [proxy(head + more).split("\\r\\n")[0] for more in (
    b"Content-Length: 5\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\nGET /smuggled HTTP/1.1\\r\\n\\r\\n",
    b"Transfer-Encoding: chunked\\r\\nContent-Length: 5\\r\\n\\r\\n0\\r\\n\\r\\n",
    b"Content-Length: 5\\r\\nContent-Length: 6\\r\\n\\r\\n12345G",
    b"Content-Length: 5, 5\\r\\n\\r\\n12345",
    b"Content-Length: +5\\r\\n\\r\\n12345",
    b"Transfer-Encoding: xchunked\\r\\n\\r\\n0\\r\\n\\r\\n",
    b"Transfer-Encoding: chunked, identity\\r\\n\\r\\n0\\r\\n\\r\\n",
    b"Transfer-Encoding : chunked\\r\\n\\r\\n0\\r\\n\\r\\n",
    b"Transfer-Encoding:\\x0bchunked\\r\\n\\r\\n0\\r\\n\\r\\n",
    b"Host: evil.example\\r\\n\\r\\n",
    b"X: a\\rTransfer-Encoding: chunked\\r\\n\\r\\n",
    b"X: a\\nTransfer-Encoding: chunked\\r\\n\\r\\n",
    b"X: a\\x00b\\r\\n\\r\\n",
)]
old = proxy(b"POST " + web + b"/ HTTP/1.0\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n")
result.append(old.split("\\r\\n")[0])
""", timeout_ms=60000)
        self.assertEqual(set(result), {"HTTP/1.1 400 Bad Request"}, result)
        self.assertEqual(len(self.web.asked), before)

    def test_what_is_no_request(self):
        result, done = self.result(RAW + """
web = INPUT_DATA["web"].encode()
head = b"GET " + web + b"/ HTTP/1.1\\r\\nHost: " + web[7:] + b"\\r\\n"
result = [proxy(what).split("\\r\\n")[0] for what in (
    head + b"Filler: " + b"x" * 70000 + b"\\r\\n\\r\\n",
    b"GET / HTTP/1.1\\r\\nHost: web.example\\r\\n\\r\\n",
    b"GET https://web.example/ HTTP/1.1\\r\\nHost: web.example\\r\\n\\r\\n",
    b"GET http://user@web.example/ HTTP/1.1\\r\\nHost: web.example\\r\\n\\r\\n",
    b"GET http://2130706433/ HTTP/1.1\\r\\nHost: 2130706433\\r\\n\\r\\n",
    b"GET http://0x7f.1/ HTTP/1.1\\r\\nHost: 0x7f.1\\r\\n\\r\\n",
    b"CONNECT web.example HTTP/1.1\\r\\nHost: web.example\\r\\n\\r\\n",
    b"CONNECT web.example:0 HTTP/1.1\\r\\nHost: web.example\\r\\n\\r\\n",
    b"CONNECT web.example:99999 HTTP/1.1\\r\\nHost: web.example\\r\\n\\r\\n",
    b"CONNECT [::1:443 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n",
    b"CONNECT web.example:22 HTTP/1.1\\r\\nHost: web.example\\r\\n\\r\\n",
    b"\\x16\\x03\\x01\\x00\\x05hello",
    b"\\x05\\x01\\x02", b"\\x04\\x01\\x00\\x50\\x7f\\x00\\x00\\x01\\x00",
)]
s, status = connect("127.0.0.1:%d" % INPUT_DATA["port"])
s.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n")
result += [status, len(s.recv(100))]""", timeout_ms=60000)
        self.assertEqual(result[0], "HTTP/1.1 431 Request Header Fields Too Large")
        self.assertEqual(set(result[1:10]), {"HTTP/1.1 400 Bad Request"}, result)
        self.assertEqual(result[10], "HTTP/1.1 403 Forbidden")
        self.assertEqual(result[11:], ["HTTP/1.1 400 Bad Request", "\x05\xff", "HTTP/1.1 400 Bad Request", 200, 0])
        self.assertIn("web.example:22", self.denied(done))

    def test_servers_that_misbehave(self):
        def no_http(peer):
            peer.recv(1000)
            peer.sendall(b"SSH-2.0-x\r\n" * 10000)
        server = servers.Raw(no_http)
        self.addCleanup(server.end)
        ports = [server.port, servers.free_port()]
        network = self.network(*(f"{host}:{port}" for port in ports for host in ("raw.example", "127.0.0.1")))
        network["hosts"]["raw.example"] = ["127.0.0.1"]
        result, _ = self.result(RAW + """
import urllib.request, urllib.error
def ask(url):
    try:
        return len(urllib.request.urlopen(url, timeout=8).read())
    except urllib.error.HTTPError as error:
        return error.code
    except Exception as error:
        return type(error).__name__
result = [ask(INPUT_DATA["web"] + "/headers?100000"), ask(INPUT_DATA["web"] + "/cut"), ask(INPUT_DATA["web"] + "/both"),
          *map(ask, INPUT_DATA["urls"])]""", network=network,
                                input={"urls": [f"http://raw.example:{port}/" for port in ports]})
        self.assertEqual(result, [502, "IncompleteRead", 502, 502, 502])

    def test_limits(self):
        network = self.network(limits={"connections": 2, "bytes": 300000, "bytes_per_second": 0})
        result, done = self.result(RAW + """
import urllib.request
try:
    result = len(urllib.request.urlopen(INPUT_DATA["web"] + "/big?1000000", timeout=8).read())
except Exception as error:
    result = type(error).__name__""", network=network)
        self.assertEqual(result, "IncompleteRead")
        self.assertIn("raise network.limits.bytes", self.denied(done)[f"web.example:{self.web.port}"])
        network["limits"] = {"bytes_per_second": 100000}
        begin = time.monotonic()
        result, done = self.result("import urllib.request\n"
                                   "result = len(urllib.request.urlopen(INPUT_DATA['web'] + '/big?150000').read())",
                                   network=network)
        self.assertEqual(result, 150000)
        self.assertGreater(time.monotonic() - begin, 1)

    def test_other_addresses_of_the_sandbox(self):
        """The proxy listens on 127.0.0.1 alone; no other address, no name server and no socket of the host is there."""
        result, _ = self.result("""
import socket
result = []
for host in ("127.0.0.2", "0.0.0.0", "::1", "::ffff:127.0.0.1"):
    for port in (22, 53, 80, 443, INPUT_DATA["port"], INPUT_DATA["secure_port"]):
        try:
            socket.create_connection((host, port), 1)
            result.append([host, port])
        except OSError:
            pass
for name in ("web.example", "example.com", "metadata.google.internal"):
    try:
        result.append(socket.getaddrinfo(name, 80))
    except OSError:
        pass
for port in (53, 123):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for host in ("8.8.8.8", "10.0.0.2", "169.254.169.254"):
            try:
                result.append([host, s.sendto(b"x", (host, port))])
            except OSError:
                pass""")
        self.assertEqual(result, [])


class Brokered(Base):
    """A secret that the program never has."""

    VALUE = "s3cr3t-" + os.urandom(12).hex()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.file = cls.folder / "token"
        cls.file.write_text(cls.VALUE)
        cls.file.chmod(0o600)

    def brokered(self, code, header=None, network=None):
        """(result, whole answer, what the https server was asked)."""
        place = f"web.example:{self.secure.port}" + (f"/{header}" if header else "")
        self.secure.asked.clear()
        self.web.asked.clear()
        # A server may hear late of a request of the last test that was cut on its way.
        call = os.urandom(4).hex()
        code = """
import os, json, ssl, urllib.request, urllib.error
def ask(url, data=None, **headers):
    try:
        request = urllib.request.Request(url, data, {name.replace("_", "-"): value for name, value in headers.items()})
        request.add_header("X-Call", CALL)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(error)
token, web, secure = os.environ["TOKEN"], INPUT_DATA["web"], INPUT_DATA["secure"]
""".replace("CALL", repr(call)) + code
        if self.engine:
            done = self.asked(code, network=network, secrets={
                "TOKEN": {"from": f"file:{self.file}", "hosts": [place]}})
        else:
            done = self.asked(code, network=network, flags=["--secret", f"TOKEN@{place}=file:{self.file}"])
        self.assertEqual(done["status"], "ok", json.dumps(done)[:3000])
        self.assertNotIn(self.VALUE, json.dumps(done))
        return done["result"], done, [told["headers"] for told in self.secure.asked
                                      if told["headers"].get("x-call", call) == call]

    def test_it_goes_where_it_is_for(self):
        result, done, asked = self.brokered("""
import base64
basic = base64.b64encode(b"user:" + token.encode()).decode()
result = [ask(secure + "/a", Authorization="Bearer " + token), ask(secure + "/b", Authorization="Basic " + basic),
          ask(secure + "/c", b"body"), token.startswith("casemate_")]""")
        self.assertEqual(result, [200, 200, 200, True])
        import base64
        self.assertEqual([headers.get("authorization") for headers in asked],
                         [f"Bearer {self.VALUE}", "Basic " + base64.b64encode(f"user:{self.VALUE}".encode()).decode(),
                          None])
        self.assertEqual(done["denials"], [])

    def test_in_a_field_of_its_own(self):
        result, done, asked = self.brokered("""
result = [ask(secure, X_Api_Key=token), ask(secure, Authorization="Bearer " + token)]""", header="x-api-key")
        self.assertEqual(result, [200, 403])
        self.assertEqual([headers.get("x-api-key") for headers in asked], [self.VALUE])
        self.assertIn("the placeholder of the secret TOKEN", " ".join(self.denied(done).values()))

    def test_anywhere_else_it_is_a_denial(self):
        result, done, asked = self.brokered("""
result = [ask(web, Authorization="Bearer " + token), ask(secure, X_Other=token), ask(secure + "/?" + token),
          ask(secure, b"x" * 70000 + token.encode()), ask(web, b"a" + token.encode())]""")
        self.assertEqual(result[:3], [403, 403, 403])
        self.assertNotIn(200, result)
        self.assertEqual([told for told in self.web.asked if told["headers"].get("authorization")], [])
        self.assertFalse([headers for headers in asked if self.VALUE in str(headers)])
        self.assertEqual(len(self.denied(done)), 2)

    def test_a_server_that_does_not_prove_its_name_gets_nothing(self):
        context, _ = servers.certificate(self.place, "web.example")
        impostor = servers.Web(context)
        self.addCleanup(impostor.end)
        network = self.network(f"web.example:{impostor.port}", f"127.0.0.1:{impostor.port}")
        network["allow"].append({"to": f"web.example:{impostor.port}", "methods": ["GET"]})
        network["allow"] = [rule for rule in network["allow"] if rule != f"web.example:{impostor.port}"]
        result, _, _ = self.brokered(f"result = ask('https://web.example:{impostor.port}/')", network=network)
        self.assertEqual(result, 502)
        self.assertEqual(impostor.asked, [])

    def test_rules_of_requests_hold_inside_tls(self):
        network = self.network()
        network["allow"] = [rule for rule in network["allow"] if rule != f"web.example:{self.secure.port}"]
        network["allow"].append({"to": f"web.example:{self.secure.port}", "methods": ["GET"], "paths": ["/ok/*"]})
        code = "result = [ask(secure + '/ok/1'), ask(secure + '/no'), ask(secure + '/ok/1', b'x')]"
        result, _, _ = self.brokered(code, network=network)
        self.assertEqual(result, [200, 403, 403])


class Clauses(Base):
    def test_bad_lists_say_what_to_do(self):
        for text, words in (("bridge", "allow:api.example.com"), ("allow:", "a destination is missing"),
                            ("allow:https://a.example", "leave out the scheme"), ("allow:*", "is no destination"),
                            ("allow:*.com", "top-level domain"), ("allow:a.example:0", "from 1 to 65535"),
                            ("allow:10.0.0.1/8", "is no destination"), ("allow:127.1", "is no destination"),
                            ("{\"allow\": [{\"methods\": []}]}", "needs \"to\""), ("{\"alow\": []}", "allow, hosts"),
                            ("@/nowhere", "/nowhere")):
            done = casemate.run(["run", "--network", text, "-c", "1"], env=self.env)
            self.assertEqual(done.code, 126 if "allow:" in text and text != "allow:" else done.code)
            self.assertIn(words, done.stderr.decode(), text)
            self.assertNotEqual(done.code, 0)

    def test_a_tier_that_cannot_refuses(self):
        done = self.status("unavailable", "--isolation", "process", "--network", "allow:a.example", "-c", "1")
        self.assertIn("--isolation container", done["error"]["message"])

    def test_the_answer_says_what_holds(self):
        done = self.ok("--network", "allow:a.example", "-c", "1")
        held = {row["guarantee"]: row["mechanism"] for row in done["isolation"]["enforced"]}
        self.assertIn("egress proxy", held["network"])

    def test_the_audit_log_has_destinations(self):
        done = self.asked("import urllib.request\nurllib.request.urlopen(INPUT_DATA['web']).read()\n"
                          "try:\n  urllib.request.urlopen('http://no.example')\nexcept OSError: pass")
        shown = casemate.run(["audit", "show", "--json", done["id"]], env=self.env).stdout.decode()
        self.assertIn("no.example:80", shown)
        self.assertIn(f"web.example:{self.web.port}", shown)

    def test_nothing_is_left_when_the_proxy_or_the_engine_is_killed(self):
        process = casemate.start(["run", "--network", "allow:a.example", "-c", "import time; time.sleep(30)"],
                                 env=self.env)
        proxies = casemate.settle(lambda: not children(process.pid, "casemate-egress"), 10)
        self.assertFalse(proxies)
        proxy = children(process.pid, "casemate-egress")[0]
        process.kill()
        casemate.finish(process)
        self.assertEqual(casemate.settle(lambda: os.path.exists(f"/proc/{proxy}/exe"), 5), False)


def children(parent, name):
    return [pid for pid, (of, _, called) in casemate.processes().items() if of == parent and called == name[:15]]


class WarmBase:
    """The same in warm cells."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.engine = Engine(cls.folder / "engine.sock", cls.env, "--pool-size", "3")
        cls.addClassCleanup(cls.engine.end)
        casemate.settle(lambda: not any(pool["cells_ready"] for pool in cls.engine.health()["pools"]), 60)

    def tearDown(self):
        cold = [pool["cold"] for pool in self.engine.health()["pools"]]
        self.assertEqual([reasons for reasons in cold if reasons], [])


class WarmReached(WarmBase, Reached):
    pass


class WarmRefused(WarmBase, Refused):
    pass


class WarmBrokered(WarmBase, Brokered):
    pass


if __name__ == "__main__":
    casemate.die_with_tests()
    unittest.main()
