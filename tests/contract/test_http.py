#!/usr/bin/env python3
"""`casemate serve --listen`: keys, TLS, streams, ends of runs, and peers that do not behave."""

import concurrent.futures
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import time
import unittest
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402
from http_api import HttpEngine, WebSocket, add_key  # noqa: E402

OWN = ("id", "timings", "usage")
CLIENTS = 200


class Http(Case):
    def setUp(self):
        super().setUp()
        self.key = add_key(self.env, "main", "--scopes", "admin")
        self.engine = HttpEngine(self.place / "engine.sock", self.env, "--max-runs", "16", "--queue-timeout", "2m",
                                 "--max-connections", "512")
        self.addCleanup(self.engine.end)
        self.assertIn("and http://127.0.0.1:", self.engine.first_line)

    def run_tcp(self, key=None, **request):
        status, _, body = self.engine.ask_tcp("POST", "/v1/run", request, key or self.key)
        return status, json.loads(body)

    def own(self, result):
        return {k: v for k, v in result.items() if k not in OWN}

    def test_one_request_gives_the_same_answer_everywhere(self):
        code = "import sys\nprint('out')\nprint('err', file=sys.stderr)\nresult = {'n': INPUT_DATA, 'half': 0.5}"
        cold = self.run_json("--no-engine", "--input", "[1, 2]", "-c", code)
        unix = self.engine.run(code=code, input=[1, 2])[1]
        tcp = self.run_tcp(code=code, input=[1, 2])[1]
        web = WebSocket(self.engine.port, self.key)
        self.addCleanup(web.close)
        web.send(json.dumps({"code": code, "input": [1, 2]}).encode())
        events, status = web.events()
        self.assertEqual(status, 1000)
        for other in (unix, tcp, events[-1]["result"]):
            self.assertEqual(self.own(cold.json), self.own(other))

    def test_streams_tell_the_same_events(self):
        request = {"code": "print('x'); result = 1"}
        told = {}
        for form in ("text/event-stream", "application/x-ndjson"):
            status, fields, body = self.engine.ask_tcp("POST", "/v1/run", request, self.key, Accept=form)
            self.assertEqual((status, fields["Content-Type"]), (200, form))
            lines = body.decode().splitlines()
            told[form] = [json.loads(line.removeprefix("data: ")) for line in lines if '{"event"' in line]
        web = WebSocket(self.engine.port, self.key)
        self.addCleanup(web.close)
        web.send(json.dumps(request).encode())
        told["web"] = web.events()[0]
        for events in told.values():
            self.assertEqual([event["event"] for event in events], ["started", "stdout", "result", "finished"])

    def test_curl_and_scopes(self):
        run_only = add_key(self.env, "run only", "--scopes", "run")
        url = f"http://127.0.0.1:{self.engine.port}"

        def curl(path, key, *words):
            return subprocess.run(["curl", "-s", "-o", "-", "-w", "\n%{http_code}", "-H",
                                   f"Authorization: Bearer {key}", url + path, *words],
                                  capture_output=True, check=True, text=True).stdout.rsplit("\n", 1)

        body, status = curl("/v1/run", run_only, "-d", '{"code": "result = 6 * 7"}')
        self.assertEqual((status, json.loads(body)["result"]), ("200", 42))
        for path, words in (("/v1/audit", ()), ("/metrics", ()), ("/v1/batch", ("-d", '{"requests": []}')),
                            ("/v1/redact", ("-d", '{"text": ""}')), ("/v1/checks", ("-d", '{"code": ""}'))):
            body, status = curl(path, run_only, *words)
            self.assertEqual((status, json.loads(body)["code"]), ("403", "forbidden"), path)
            self.assertEqual(curl(path, self.key, *words)[1], "200", path)
            self.assertEqual(curl(path, "cmk_wrong", *words)[1], "401", path)
        for path in ("/healthz", "/readyz", "/openapi.json"):
            self.assertEqual(curl(path, "")[1], "200", path)
        self.assertEqual(casemate.run(["keys", "revoke", "run only"], env=self.env).code, 0)
        self.assertEqual(curl("/v1/runs", run_only)[1], "401")

    def test_host_folders_need_their_scope(self):
        run_only = add_key(self.env, "r", "--scopes", "run")
        for asked in ({"workspace": {"path": "/etc"}}, {"mounts": [{"path": "/etc", "inside": "/data"}]},
                      {"secrets": {"A": "env:HOME"}}):
            status, problem = self.run_tcp(run_only, code="pass", **asked)
            self.assertEqual((status, problem["code"]), (403, "forbidden"), asked)

    def test_what_a_key_did_is_recorded_as_its_own(self):
        key = add_key(self.env, "traced", "--scopes", "run,audit")
        ran = self.run_tcp(key, code="result = 1")[1]["id"]
        status, _, body = self.engine.ask_tcp("GET", f"/v1/audit?id={ran}", key=key)
        self.assertEqual(status, 200, body)
        self.assertEqual(json.loads(body)["runs"][0]["caller"], "key:" + key.split("_")[1])

    def test_rates_are_told(self):
        key = add_key(self.env, "slow", "--rate", "1", "--burst", "1")
        self.assertEqual(self.run_tcp(key, code="pass")[0], 200)
        status, fields, body = self.engine.ask_tcp("POST", "/v1/run", {"code": "pass"}, key)
        self.assertEqual((status, fields["Content-Type"]), (429, "application/problem+json"), body)
        self.assertGreater(int(fields["Retry-After"]), 30)

    def test_the_same_key_and_body_run_once(self):
        request = {"code": "import random; result = random.random()"}
        first = self.engine.ask_tcp("POST", "/v1/run", request, self.key, Idempotency_Key="a")
        again = self.engine.ask_tcp("POST", "/v1/run", request, self.key, Idempotency_Key="a")
        self.assertEqual(first[2], again[2])
        self.assertEqual((first[1]["Idempotency-Replayed"], again[1]["Idempotency-Replayed"]), (None, "true"))
        other = self.engine.ask_tcp("POST", "/v1/run", {"code": "pass"}, self.key, Idempotency_Key="a")
        self.assertEqual((other[0], json.loads(other[2])["code"]), (422, "idempotency_mismatch"))
        someone = self.engine.ask_tcp("POST", "/v1/run", {"code": "pass"}, add_key(self.env, "b"), Idempotency_Key="a")
        self.assertEqual(someone[0], 200, "one caller's keys are not another's")

    def test_a_run_with_a_key_outlives_its_connection(self):
        request = {"code": "import time; time.sleep(2); result = 'kept'"}
        connection = self.engine.connect()
        connection.request("POST", "/v1/run", json.dumps(request),
                           {"Authorization": f"Bearer {self.key}", "Idempotency-Key": "lost"})
        self.assertFalse(self.engine.wait_for_runs(1))
        connection.close()
        answer = self.engine.ask_tcp("POST", "/v1/run", request, self.key, Idempotency_Key="lost")
        self.assertEqual(json.loads(answer[2])["result"], "kept")

    def test_runs_end_by_request_and_by_going_away(self):
        sleep = {"code": "import time; time.sleep(60)"}
        web = WebSocket(self.engine.port, self.key)
        self.addCleanup(web.close)
        web.send(json.dumps(sleep).encode())
        started = json.loads(web.receive()[1])
        self.assertEqual(self.engine.ask_tcp("DELETE", f"/v1/runs/{started['id']}", key=self.key)[0], 204)
        self.assertEqual(web.events()[0][-1]["result"]["status"], "cancelled")
        for end in ("message", "close", "hang up"):
            with self.subTest(end):
                web = WebSocket(self.engine.port, self.key)
                web.send(json.dumps(sleep).encode())
                web.receive()
                self.assertFalse(self.engine.wait_for_runs(1))
                if end == "message":
                    web.send(b'{"cancel":true}')
                    self.assertEqual(web.events()[0][-1]["result"]["status"], "cancelled")
                elif end == "close":
                    web.send(b"\x03\xe8", opcode=8)
                web.close()
                self.assertFalse(self.engine.wait_for_runs(0))
        connection = self.engine.connect()
        connection.request("POST", "/v1/run", json.dumps(sleep), {"Authorization": f"Bearer {self.key}"})
        self.assertFalse(self.engine.wait_for_runs(1))
        connection.close()
        self.assertFalse(self.engine.wait_for_runs(0))

    def test_web_sockets_keep_to_their_protocol(self):
        for frame in (b"\x81\x02{}", b"\xf1\x80abcd", b"\x83\x80abcd", b"\x09\x80abcd", b"\x80\x80abcd",
                      b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xffabcd"):
            web = WebSocket(self.engine.port, self.key)
            self.assertIn("101", web.status)
            web.socket.sendall(frame)
            self.assertIn(web.events()[1], (1002, 1009), frame)
            web.close()
        web = WebSocket(self.engine.port, self.key)
        web.send(b'{"code": "resu', last=False)
        web.send(b"hello", opcode=9)
        web.send(b'lt = 1"}', opcode=0)
        self.assertEqual(web.receive(), (10, b"hello"))
        self.assertEqual(web.events()[0][-1]["result"]["result"], 1)
        web.close()
        web = WebSocket(self.engine.port, self.key)
        web.send(b"no request")
        problems, status = web.events()
        self.assertEqual((problems[0]["code"], status), ("invalid_request", 1008))
        web.close()
        stranger = WebSocket(self.engine.port, "cmk_wrong")
        self.assertIn("401", stranger.status)
        stranger.close()

    def test_batches(self):
        requests = [{"id": n, "code": f"result = {n}"} for n in range(5)] + [{"typo": 1}]
        status, _, body = self.engine.ask_tcp("POST", "/v1/batch", {"requests": requests, "jobs": 2}, self.key)
        lines = json.loads(body)["results"]
        self.assertEqual((status, [line["id"] for line in lines]), (200, [0, 1, 2, 3, 4, None]))
        self.assertEqual([line["result"]["result"] for line in lines[:5]], [0, 1, 2, 3, 4])
        self.assertEqual(lines[5]["result"]["status"], "rejected")
        given = "".join(json.dumps(request) + "\n" for request in requests)
        status, _, body = self.engine.ask_tcp("POST", "/v1/batch", given, self.key, Accept="application/x-ndjson",
                                              Content_Type="application/x-ndjson")
        self.assertEqual([json.loads(line)["line"] for line in body.splitlines()], [1, 2, 3, 4, 5, 6])

    def test_many_clients_lose_nothing(self):
        def one(number):
            return self.run_tcp(code=f"result = {number}")

        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(one, range(CLIENTS)))
        self.assertEqual([status for status, _ in answers], [200] * CLIENTS)
        self.assertEqual([result["result"] for _, result in answers], list(range(CLIENTS)))

    def test_peers_that_do_not_behave_leave_nothing_open(self):
        flood = json.dumps({"code": "for _ in range(200000): print('x' * 50)",
                            "limits": {"stdout_bytes_max": 30000000}})
        peers = []
        for number in range(20):
            peer = socket.create_connection(("127.0.0.1", self.engine.port))
            head = (f"POST /v1/run HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.key}\r\n"
                    f"Accept: text/event-stream\r\nContent-Length: {len(flood)}\r\n\r\n")
            whole = head + flood
            # Some stop in their fields, some in their body, some read nothing of what comes.
            peer.sendall(whole[:(20, len(head) + 5, len(whole))[number % 3]].encode())
            peers.append(peer)
        time.sleep(1)
        self.assertEqual(self.run_tcp(code="result = 1")[1]["result"], 1, "others are served")
        for number, peer in enumerate(peers):
            if number % 2:  # with a reset
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            peer.close()
        self.assertFalse(self.engine.wait_for_runs(0))
        self.assertEqual(casemate.settle(self.engine.connections, 20), [])


class Addresses(Case):
    def refused(self, *flags):
        done = casemate.run(["serve", "--socket", str(self.place / "s"), *flags], env=self.env, deadline=20)
        self.assertEqual((done.code, done.stderr.count(b"\n")), (126, 1), done.tell())
        return done.stderr.decode()

    def test_weak_settings_are_refused_unless_they_are_named(self):
        empty = {**self.env, "CASEMATE_STATE_DIR": str(self.place / "empty")}
        done = casemate.run(["serve", "--socket", str(self.place / "s"), "--listen", "127.0.0.1:0"], env=empty,
                            deadline=20)
        self.assertIn("casemate keys add", done.stderr.decode())
        add_key(self.env, "k")
        self.assertIn("--insecure-no-tls", self.refused("--listen", "0.0.0.0:0"))
        self.assertIn("no address", self.refused("--listen", "example.org:80"))
        self.assertIn("together", self.refused("--listen", "127.0.0.1:0", "--tls-cert", "x"))
        self.assertIn("--listen", self.refused("--insecure-no-key"))
        self.assertIn("takes no value", self.refused("--listen", "127.0.0.1:0", "--insecure-no-key=yes"))
        open_to_all = HttpEngine(self.place / "open.sock", empty, "--insecure-no-key")
        self.addCleanup(open_to_all.end)
        self.assertEqual(open_to_all.ask_tcp("POST", "/v1/run", {"code": "pass"})[0], 200)
        self.assertEqual(open_to_all.ask_tcp("POST", "/v1/run", {"code": "pass"}, Origin="https://a.example")[0], 403)
        self.assertEqual(open_to_all.ask_tcp("POST", "/v1/run", {"code": "pass"}, Host="evil.example")[0], 403)

    def test_tls(self):
        def openssl(*words):
            subprocess.run(["openssl", *words], check=True, cwd=self.place, capture_output=True)

        (self.place / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "1",
                "-subj", "/CN=test authority")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "csr.pem", "-subj", "/CN=test")
        openssl("x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1",
                "-extfile", "names", "-out", "cert.pem")
        key = add_key(self.env, "tls")
        files = ("--tls-cert", str(self.place / "cert.pem"), "--tls-key", str(self.place / "key.pem"))
        os.chmod(self.place / "key.pem", 0o644)
        self.assertIn("chmod 600", self.refused("--listen", "127.0.0.1:0", *files))
        os.chmod(self.place / "key.pem", 0o600)
        self.assertIn("not the private key", self.refused("--listen", "127.0.0.1:0", "--tls-cert",
                                                          str(self.place / "ca.pem"), *files[2:]))
        trusted = ssl.create_default_context(cafile=self.place / "ca.pem")
        engine = HttpEngine(self.place / "tls.sock", self.env, *files, tls=trusted)
        self.addCleanup(engine.end)
        self.assertIn("https://", engine.first_line)
        text = "x" * 3_000_000
        code = "result = len(INPUT_DATA); print(INPUT_DATA[:900000])"
        status, _, body = engine.ask_tcp("POST", "/v1/run", {"code": code, "input": text}, key)
        result = json.loads(body)
        self.assertEqual((status, result["result"], len(result["stdout"])), (200, 3_000_000, 900_001))
        status, _, body = engine.ask_tcp("POST", "/v1/run", {"code": "print(1)"}, key, Accept="text/event-stream")
        self.assertIn(b"event: finished", body)
        with self.assertRaises(ssl.SSLCertVerificationError):
            engine.tls = ssl.create_default_context()
            engine.ask_tcp("GET", "/healthz")
        old = ssl.create_default_context(cafile=self.place / "ca.pem")
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            engine.tls = old
            engine.ask_tcp("GET", "/healthz")
        with socket.create_connection(("127.0.0.1", engine.port)) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            plain.settimeout(20)
            self.assertNotIn(b"200 OK", plain.recv(1000))
        # A peer that hangs up cancels its run here too.
        engine.tls = trusted
        connection = engine.connect()
        connection.request("POST", "/v1/run", json.dumps({"code": "import time; time.sleep(60)"}),
                           {"Authorization": f"Bearer {key}"})
        self.assertFalse(engine.wait_for_runs(1))
        connection.close()
        self.assertFalse(engine.wait_for_runs(0))


if __name__ == "__main__":
    casemate.die_with_tests()
    unittest.main(verbosity=2)
