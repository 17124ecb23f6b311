#!/usr/bin/env python3
"""Sinks of the audit log: nothing is lost to one that is slow, dead or full, and what is lost is told."""

import http.server
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
import checkers  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine  # noqa: E402

PLANTED = "PLANTED-7c1d-SECRET"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
JOURNALD = "/lib/systemd/systemd-journald"
# A journal of its own in a mount namespace of its own, whose /run nobody else sees.
JOURNAL_SCRIPT = r"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nRateLimitBurst=0\n' > /run/systemd/journald.conf.d/ours.conf
"$1" >&2 &
journal=$!
trap 'kill $journal' EXIT
for _ in $(seq 100); do [ -S /run/systemd/journal/socket ] && break; sleep 0.1; done
"$2" audit ship --sink journald --timeout 5s >&2
for _ in $(seq 100); do
  journalctl -D /run/log/journal -o json --all --no-pager SYSLOG_IDENTIFIER=casemate-audit > /run/got || true
  [ "$(wc -l < /run/got)" -ge "$(cat "$CASEMATE_STATE_DIR"/audit/*.jsonl | wc -l)" ] && break
  sleep 0.1
done
cat /run/got
"""


class Collector:
    """OTLP/HTTP at a port of this machine. `answer(path, body)` gives a status and a body."""

    def __init__(self, answer=lambda path, body: (200, {})):
        self.bodies = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                protobuf = self.headers["Content-Type"] == "application/x-protobuf"
                body = checkers.read_protobuf(self.path, raw) if protobuf else json.loads(raw)
                status, said = collector.answer(self.path, body)
                if status == 200:
                    collector.bodies.append((self.path, body, dict(self.headers)))
                reply = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *args):
                pass

        self.answer = answer
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def end(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def records(self):
        return [json.loads(log["body"]["stringValue"]) for path, body, _ in self.bodies if path == "/v1/logs"
                for log in body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]]

    def spans(self):
        return [span for path, body, _ in self.bodies if path == "/v1/traces"
                for span in body["resourceSpans"][0]["scopeSpans"][0]["spans"]]


def journal_fields(message):
    """systemd's native protocol: NAME=value lines, or NAME, a 64-bit size and the value."""
    fields = {}
    while message:
        name, _, rest = message.partition(b"\n")
        if b"=" in name:
            key, _, value = name.partition(b"=")
        else:
            key, size = name, struct.unpack("<Q", rest[:8])[0]
            value, rest = rest[8:8 + size], rest[9 + size:]
        fields[key.decode()] = value.decode()
        message = rest
    return fields


class Sinks(Case):
    def setUp(self):
        super().setUp()
        self.state = self.place / "state"
        self.env = {**type(self).env, "CASEMATE_STATE_DIR": str(self.state)}

    def audit(self, *arguments, code=0, env=None):
        done = casemate.run(["audit", *arguments], env=env or self.env)
        self.assertEqual(done.code, code, f"{done.stdout[-500:]} {done.stderr[-800:]}")
        return done.stdout.decode()

    def ship(self, sink, code=0, **changes):
        # A collector's first answer takes it the import of what reads it.
        patience = "20s" if code == 0 else "2s"
        return self.audit("ship", "--sink", sink, "--timeout", patience, code=code, env={**self.env, **changes})

    def state_of(self, kind):
        rows = [json.loads(line) for line in self.audit("sinks", "--json").splitlines()]
        return next(row for row in rows if row["name"].startswith(kind + "-"))

    def written(self):
        lines = []
        for path in sorted((self.state / "audit").glob("*.jsonl")):
            lines += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return lines

    def receiver(self, name="sink"):
        path = str(self.place / name)
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.bind(path)
        receiver.settimeout(10 * casemate.SLOW)
        return path, receiver

    def collector(self, *arguments):
        collector = Collector(*arguments)
        self.addCleanup(collector.end)
        return collector

    def secret_run(self):
        self.run_json("-e", f"TOKEN={PLANTED}", "--input", json.dumps(PLANTED), "-c",
                      f"print('{PLANTED}', INPUT_DATA); raise ValueError('{PLANTED}')")

    def test_syslog_gets_each_record_once(self):
        path, receiver = self.receiver()
        self.secret_run()
        self.ship(f"syslog:{path}")
        self.ok("-c", "pass")
        self.ship(f"syslog:{path}")
        got = []
        for _ in self.written():
            message = receiver.recv(65536).decode()
            self.assertRegex(message, r"^<8[46]>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d casemate-audit\[\d+\]: \{")
            self.assertNotIn(PLANTED, message)
            got.append(json.loads(message.partition("]: ")[2]))
        self.assertEqual(got, self.written())
        receiver.setblocking(False)
        self.assertRaises(BlockingIOError, receiver.recv, 1)

    def test_syslog_is_told_of_what_is_too_large_for_it(self):
        path, receiver = self.receiver()
        self.ok(*[word for i in range(64) for word in ("-e", f"{'V' * 200}{i}=x")], "-c", "pass")
        self.ship(f"syslog:{path}")
        got = [json.loads(receiver.recv(65536).decode().partition("]: ")[2]) for _ in self.written()]
        intent = next(r for r in self.written() if r["kind"] == "intent")
        short = next(r for r in got if r["kind"] == "intent")
        self.assertEqual((short["hash"], short["id"]), (intent["hash"], intent["id"]))
        self.assertGreater(short["shortened_bytes"], 8000)
        self.assertEqual(self.state_of("syslog")["shortened"], 1)

    def test_the_journal_gets_fields_and_large_records_whole(self):
        path, receiver = self.receiver()
        self.ok(*[word for i in range(60) for word in ("-e", f"{'V' * 500}{i}=x")], "-c", "pass")
        # Less than a record, so that one goes as a file in memory.
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.secret_run()
        self.ship(f"journald:{path}")
        got = []
        for _ in self.written():
            message, fds, _, _ = socket.recv_fds(receiver, 1 << 20, 1)
            for fd in fds:
                message = os.pread(fd, 1 << 24, 0)
                os.close(fd)
            self.assertNotIn(PLANTED.encode(), message)
            fields = journal_fields(message)
            record = json.loads(fields["MESSAGE"])
            self.assertEqual(fields["CASEMATE_SEQ"], str(record["seq"]))
            self.assertEqual(fields["SYSLOG_IDENTIFIER"], "casemate-audit")
            got.append(record)
        self.assertEqual(got, self.written())

    @unittest.skipUnless(shutil.which("rsyslogd"), "rsyslogd is not installed")
    def test_rsyslog_takes_what_we_send(self):
        path, out = self.place / "log", self.place / "out"
        config = self.place / "rsyslog.conf"
        config.write_text(f'module(load="imuxsock" SysSock.Use="off")\ninput(type="imuxsock" Socket="{path}")\n'
                          f'template(name="all" type="string" string="%syslogtag%%msg%\\n")\n'
                          f'*.* action(type="omfile" file="{out}" template="all")\n')
        command = [shutil.which("rsyslogd"), "-n", "-f", str(config), "-i", str(self.place / "pid")]
        daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.assertFalse(casemate.settle(lambda: not path.exists(), 20))
            self.ok("-c", "pass")
            self.ship(f"syslog:{path}")
            count = len(self.written())
            casemate.settle(lambda: not out.exists() or out.read_text().count("\n") < count, 20)
            lines = out.read_text().splitlines()
        finally:
            daemon.terminate()
            daemon.wait(20)
        got = [json.loads(line.partition("]: ")[2]) for line in lines if line.startswith("casemate-audit[")]
        self.assertEqual(got, self.written())

    def test_a_collector_gets_logs_and_traces(self):
        collector = self.collector()
        engine = Engine(self.place / "s", {**self.env, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20b"}, "--pool-size", "0",
                        "--audit-sink", f"otlp:{collector.url}", "--audit-sink", f"otlp-traces:{collector.url}/")
        try:
            body = json.dumps({"code": f"print('{PLANTED}')", "env": {"TOKEN": PLANTED}})
            traced = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=a1,other=b"}
            self.assertEqual(engine.ask("POST", "/v1/run", body, traced)[0], 200)
            other = "00-11111111111111111111111111111111-2222222222222222-0"
            self.assertEqual(engine.run(code="1/0", trace_parent=other + "1")[0], 200)
            self.assertEqual(engine.run(code="pass", trace_parent=other + "0")[0], 200)
            self.assertEqual(engine.run(code="pass", trace_parent="nonsense")[0], 400)
            self.assertEqual(engine.run(code="pass", trace_state="no equals sign")[0], 400)
            # Sent while it serves.
            self.assertFalse(casemate.settle(
                lambda: len(collector.records()) < 7 or b"otlp-traces-" not in engine.ask("GET", "/metrics")[1], 20))
            metrics = engine.ask("GET", "/metrics")[1].decode()
        finally:
            self.assertEqual(engine.end(), 0)
        self.assertRegex(metrics, r'casemate_audit_sink_sent_records_total\{sink="otlp-[0-9a-f]{8}"\} [1-9]')
        self.assertRegex(metrics, r'casemate_audit_sink_lost_records_total\{sink="otlp-traces-[0-9a-f]{8}"\} 0\n')
        # The checkpoint of its end too.
        self.assertEqual(collector.records(), self.written())
        self.assertNotIn(PLANTED, json.dumps(collector.bodies))
        self.assertEqual({headers.get("x-key") for _, _, headers in collector.bodies}, {"a b"})
        checkers.check_otlp([body for _, body, _ in collector.bodies])
        runs = {span["traceId"]: span for span in collector.spans() if span["name"] == "casemate.run"}
        # Who traces nothing is not told of.
        self.assertEqual(set(runs), {TRACE, "1" * 32})
        self.assertEqual(runs[TRACE]["parentSpanId"], PARENT)
        self.assertEqual(runs[TRACE]["traceState"], "vendor=a1,other=b")
        self.assertEqual((runs[TRACE]["status"]["code"], runs["1" * 32]["status"]["code"]), (1, 2))
        inside = [span for span in collector.spans() if span.get("parentSpanId") == runs[TRACE]["spanId"]]
        self.assertLessEqual({"plan", "run", "audit"}, {span["name"] for span in inside})
        for span in inside:
            self.assertLessEqual(int(runs[TRACE]["startTimeUnixNano"]), int(span["startTimeUnixNano"]))
            self.assertLessEqual(int(span["endTimeUnixNano"]), int(runs[TRACE]["endTimeUnixNano"]))

    def test_a_collector_of_protobuf_gets_the_same(self):
        self.secret_run()
        collector = self.collector(lambda path, body: (200, b""))
        self.ship(f"otlp:{collector.url}", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
        self.ship(f"otlp-traces:{collector.url}", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
        self.assertEqual(collector.records(), self.written())
        run = next(span for span in collector.spans() if span["name"] == "casemate.run")
        self.assertEqual((run["kind"], run["status"]["code"]), ("SPAN_KIND_INTERNAL", "STATUS_CODE_ERROR"))
        self.assertIn({"key": "casemate.status", "value": {"stringValue": "error"}}, run["attributes"])
        # ExportLogsServiceResponse with partial_success { rejected_log_records: 2 error_message: "old" }
        refusing = self.collector(lambda path, body: (200, b"\x0a\x07\x08\x02\x12\x03old"))
        self.ship(f"otlp:{refusing.url}", code=1, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
        self.ship(f"otlp:{refusing.url}", code=126, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")

    @unittest.skipUnless(os.geteuid() == 0 and os.path.exists(JOURNALD), "needs root and systemd-journald")
    def test_journald_itself_takes_what_we_send(self):
        # More than a datagram may have goes as a file in memory.
        self.ok(*[word for i in range(60) for word in ("-e", f"{'V' * 500}{i}=x")], "-c", "pass")
        self.ok("--collect", "**", "-c", "".join(f"open('{'n' * 200}{i}', 'w')\n" for i in range(60)))
        self.secret_run()
        script = self.place / "journal.sh"
        script.write_text(JOURNAL_SCRIPT)
        done = subprocess.run(["unshare", "-m", "bash", str(script), JOURNALD, casemate.BINARY],
                              env=self.env, capture_output=True, text=True, timeout=90 * casemate.SLOW, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        entries = [json.loads(line) for line in done.stdout.splitlines()]
        got = [entry for entry in entries if entry.get("SYSLOG_IDENTIFIER") == "casemate-audit"]
        self.assertEqual([json.loads(entry["MESSAGE"]) for entry in got], self.written())
        self.assertEqual([entry["CASEMATE_SEQ"] for entry in got], [str(r["seq"]) for r in self.written()])
        self.assertEqual({entry["_TRANSPORT"] for entry in got}, {"journal"})
        self.assertNotIn(PLANTED, done.stdout)

    def test_a_dead_collector_holds_nobody_up_and_catches_up(self):
        collector = self.collector(lambda path, body: (503, {}))
        engine = Engine(self.place / "s", self.env, "--pool-size", "0", "--audit-sink", f"otlp:{collector.url}")
        try:
            for _ in range(3):
                status, result = engine.run(code="pass")
                self.assertEqual((status, result["status"]), (200, "ok"))
            self.assertFalse(casemate.settle(
                lambda: b"casemate_audit_sink_failures_total" not in engine.ask("GET", "/metrics")[1], 20))
            metrics = engine.ask("GET", "/metrics")[1].decode()
            self.assertRegex(metrics, r'casemate_audit_sink_lag_records\{sink="otlp-[0-9a-f]{8}"\} 7\n')
            self.assertIn("answers with 503", self.state_of("otlp")["trouble"])
        finally:
            # With its last records unsent.
            self.assertEqual(engine.end(), 0)
        self.assertEqual(collector.records(), [])
        collector.answer = lambda path, body: (200, {})
        self.ship(f"otlp:{collector.url}")
        self.assertEqual(collector.records(), self.written())
        self.assertEqual(self.state_of("otlp")["trouble"], "")

    def test_what_is_refused_for_good_is_found_and_told(self):
        self.ok("-c", "pass")
        self.ok("-c", "pass")
        bad = next(r for r in self.written() if r["kind"] == "outcome")["hash"]
        attribute = json.dumps({"key": "casemate.hash", "value": {"stringValue": bad}})
        collector = self.collector(lambda path, body: (400 if attribute in json.dumps(body) else 200, {}))
        self.ship(f"otlp:{collector.url}", code=1)
        self.assertEqual([r["seq"] for r in collector.records()],
                         [r["seq"] for r in self.written() if r["hash"] != bad])
        state = self.state_of("otlp")
        self.assertEqual((state["lost"], state["sent"], state["lag"]), (1, len(self.written()) - 1, 0))

    def test_a_part_that_a_collector_rejects_counts_as_lost(self):
        self.ok("-c", "pass")
        answer = {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "too old"}}
        collector = self.collector(lambda path, body: (200, answer))
        self.ship(f"otlp:{collector.url}", code=1)
        self.assertEqual(self.state_of("otlp")["lost"], 2)

    def test_bad_sinks_are_refused(self):
        self.ok("-c", "pass")
        for sink in ("sysloog", "otlp", "otlp:ftp://host", "otlp:http://user:pass@host", "syslog:relative",
                     "otlp:http://"):
            self.ship(sink, code=126)
        self.ship("otlp:http://127.0.0.1:9", code=126, OTEL_EXPORTER_OTLP_HEADERS="no equals sign")
        self.ship(f"syslog:{self.place}/nobody", code=1)
        self.assertIn("nobody takes records", self.state_of("syslog")["trouble"])


if __name__ == "__main__":
    unittest.main()
