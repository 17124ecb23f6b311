"""Programs of others that judge what we write, in a virtual environment beside the build."""

import base64
import json
import pathlib
import shutil
import subprocess
import sys

import casemate

REQUIREMENTS = pathlib.Path(__file__).with_name("requirements.txt")

_OTLP = """
import json, sys
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
for line in sys.stdin:
    body = json.loads(line)
    message = (logs_service_pb2.ExportLogsServiceRequest() if "resourceLogs" in body
               else trace_service_pb2.ExportTraceServiceRequest())
    json_format.ParseDict(body, message)
    assert message.SerializeToString()
"""
_PROTOBUF = """
import base64, json, sys
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
path, raw = sys.stdin.read().split()
message = (logs_service_pb2.ExportLogsServiceRequest() if path == "/v1/logs"
           else trace_service_pb2.ExportTraceServiceRequest())
message.ParseFromString(base64.b64decode(raw))
assert message.SerializeToString() == base64.b64decode(raw)
print(json.dumps(json_format.MessageToDict(message)))
"""
_METRICS = """
import sys
from prometheus_client.parser import text_string_to_metric_families
names = [sample.name for family in text_string_to_metric_families(sys.stdin.read()) for sample in family.samples]
print("\\n".join(sorted(set(names))))
"""


def _python():
    folder = pathlib.Path(casemate.BINARY).resolve().parent / "audit-venv"
    stamp, wanted = folder / "requirements.txt", REQUIREMENTS.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "-r",
                        str(REQUIREMENTS)], check=True)
        stamp.write_text(wanted)
    return str(folder / "bin" / "python")


def _run(program, text):
    done = subprocess.run([_python(), "-c", program], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr[-2000:])
    return done.stdout


def _in_base64(value):
    """OTLP's JSON has ids in hexadecimal, where protobuf's own JSON has bytes in base64."""
    if isinstance(value, list):
        return [_in_base64(each) for each in value]
    if not isinstance(value, dict):
        return value
    ids = ("traceId", "spanId", "parentSpanId")
    return {name: base64.b64encode(bytes.fromhex(inner)).decode() if name in ids else _in_base64(inner)
            for name, inner in value.items()}


def check_otlp(bodies):
    """Raises for a request that OpenTelemetry's messages cannot hold: an unknown field, a wrong type."""
    _run(_OTLP, "".join(json.dumps(_in_base64(body)) + "\n" for body in bodies))


def read_protobuf(path, raw):
    """A request in protobuf, as OpenTelemetry's own messages read it; ids are in base64."""
    return json.loads(_run(_PROTOBUF, f"{path} {base64.b64encode(raw).decode()}"))


def metric_names(text):
    """The samples' names, as Prometheus' parser reads them."""
    return _run(_METRICS, text).split()
