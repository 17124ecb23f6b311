#!/usr/bin/env python3
"""Secrets of AWS: Secrets Manager and STS as moto serves them, every place of the credential chain, failures, TLS; and
signatures, which botocore makes again from what was sent, and AWS's published examples."""

import datetime
import hashlib
import http.server
import json
import os
import pathlib
import ssl
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import support_secrets  # noqa: E402

support_secrets.run_with_packages()
import boto3  # noqa: E402
from botocore.auth import SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402
import casemate  # noqa: E402

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
VALUE = "hunter2-of-secrets-manager"
LOOK, plain = support_secrets.LOOK, support_secrets.plain


class Recorder:
    """Answers as `script` says, and keeps what it was asked: Secrets Manager, STS, SSO, metadata services."""

    def __init__(self, script, certificate=None):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words):
                pass

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                seen.append((self.command, self.path, dict(self.headers), body))
                status, headers, data = script(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = serve

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *words: None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.address = f"{'https' if certificate else 'http'}://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def answer(value=None, status=200, **members):
    return (
        status,
        {"Content-Type": "application/x-amz-json-1.1"},
        json.dumps({**({"SecretString": value} if value is not None else {}), **members}).encode(),
    )


class AwsCase(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="casemate-aws-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.env = {
            "HOME": self.folder,
            "CASEMATE_STATE_DIR": os.path.join(self.folder, "state"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def write(self, name, text):
        path = pathlib.Path(self.folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def record(self, script, **options):
        recorder = Recorder(script, **options)
        self.addCleanup(recorder.close)
        return recorder

    def get(self, reference, **env):
        done = casemate.run(
            ["run", "--json", "--no-engine", "--secret", f"S={reference}", "-c", LOOK],
            env=casemate.environment(**{**self.env, **env}),
        )
        if done.code == 0:
            return plain(done["result"]["S"])
        self.assertNotIn(VALUE, done["error"]["message"])
        self.assertNotIn(SECRET, done["error"]["message"])
        return "error: " + done["error"]["message"]


class Moto(AwsCase):
    """A server of AWS's API, as its public client sees it."""

    @classmethod
    def setUpClass(cls):
        cls.server = ThreadedMotoServer(port=0, verbose=False)
        cls.server.start()
        host, port = cls.server.get_host_and_port()
        cls.endpoint = f"http://127.0.0.1:{port}"

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        super().setUp()
        self.env["AWS_ENDPOINT_URL"] = self.endpoint
        self.client = boto3.client(
            "secretsmanager",
            endpoint_url=self.endpoint,
            region_name="eu-west-1",
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
        )
        self.name = "prod/" + os.urandom(4).hex()

    def test_texts_fields_and_binary_secrets(self):
        arn = self.client.create_secret(Name=self.name, SecretString=json.dumps({"key": VALUE, "number": 5}))["ARN"]
        self.assertEqual(self.get(f"aws:{self.name}#key"), VALUE)
        self.assertEqual(self.get(f"aws:{self.name}#number"), "5")
        self.assertEqual(json.loads(self.get(f"aws:{self.name}")), {"key": VALUE, "number": 5})
        self.assertEqual(self.get(f"aws:{arn}#key", AWS_REGION=None), VALUE)
        self.client.create_secret(Name=self.name + "-b", SecretBinary=b"binary \xc3\xbc")
        self.assertEqual(self.get(f"aws:{self.name}-b"), "binary ü")
        self.assertIn("has no field none", self.get(f"aws:{self.name}#none"))
        self.assertIn("is no JSON object", self.get(f"aws:{self.name}-b#key"))

    def test_stages_versions_and_regions(self):
        self.client.create_secret(Name=self.name, SecretString="first")
        version = self.client.put_secret_value(SecretId=self.name, SecretString="second")["VersionId"]
        self.client.put_secret_value(SecretId=self.name, SecretString="third")
        self.assertEqual(self.get(f"aws:{self.name}"), "third")
        self.assertEqual(self.get(f"aws:{self.name}?stage=AWSPREVIOUS"), "second")
        self.assertEqual(self.get(f"aws:{self.name}?version={version}"), "second")
        other = boto3.client(
            "secretsmanager",
            endpoint_url=self.endpoint,
            region_name="us-east-2",
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
        )
        other.create_secret(Name=self.name, SecretString="elsewhere")
        self.assertEqual(self.get(f"aws:{self.name}?region=us-east-2"), "elsewhere")

    def test_missing_and_deleted(self):
        self.assertIn("there is no value for the secret", self.get(f"aws:{self.name}"))
        self.client.create_secret(Name=self.name, SecretString=VALUE)
        self.client.delete_secret(SecretId=self.name, RecoveryWindowInDays=7)
        self.assertIn("marked for deletion", self.get(f"aws:{self.name}"))

    def test_roles_of_sts(self):
        self.client.create_secret(Name=self.name, SecretString=VALUE)
        role = "arn:aws:iam::123456789012:role/app"
        token = self.write("token", "header.payload.signature\n")
        self.env.update(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
        self.assertEqual(self.get(f"aws:{self.name}", AWS_WEB_IDENTITY_TOKEN_FILE=token, AWS_ROLE_ARN=role), VALUE)
        self.write(
            ".aws/config",
            f"[profile app]\nrole_arn = {role}\nsource_profile = base\nregion = eu-west-1\n"
            f"[profile web]\nrole_arn = {role}\nweb_identity_token_file = {token}\n",
        )
        self.write(".aws/credentials", f"[base]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
        self.assertEqual(self.get(f"aws:{self.name}", AWS_PROFILE="app"), VALUE)
        self.assertEqual(self.get(f"aws:{self.name}", AWS_PROFILE="web"), VALUE)
        self.assertEqual(self.get(f"aws:{self.name}", AWS_PROFILE="base"), VALUE)
        self.assertIn("no AWS profile none", self.get(f"aws:{self.name}", AWS_PROFILE="none"))
        self.assertIn(
            "cannot be read", self.get(f"aws:{self.name}", AWS_WEB_IDENTITY_TOKEN_FILE="/none", AWS_ROLE_ARN=role)
        )
        self.assertIn("AWS_ROLE_ARN", self.get(f"aws:{self.name}", AWS_WEB_IDENTITY_TOKEN_FILE=token))


class Signatures(AwsCase):
    def sent(self, **env):
        recorder = self.record(lambda *words: answer(VALUE))
        self.assertEqual(self.get("aws:prod/app", AWS_ENDPOINT_URL=recorder.address, **env), VALUE)
        return recorder.seen[0], recorder.address

    def check(self, region="eu-west-1", token=None, **env):
        (method, path, headers, body), address = self.sent(**env)
        sent = {name.lower(): value for name, value in headers.items()}
        signed = sent["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        self.assertIn("x-amz-target", signed)
        request = AWSRequest(method, address + path, data=body, headers={name: sent[name] for name in signed})
        request.context["timestamp"] = sent["x-amz-date"]
        auth = SigV4Auth(Credentials(ACCESS, SECRET), "secretsmanager", region)
        text = auth.string_to_sign(request, auth.canonical_request(request))
        self.assertTrue(
            sent["authorization"].endswith("Signature=" + auth.signature(text, request)), sent["authorization"]
        )
        self.assertIn(
            f"Credential={ACCESS}/{sent['x-amz-date'][:8]}/{region}/secretsmanager/aws4_request", sent["authorization"]
        )
        self.assertEqual(sent.get("x-amz-security-token"), token)
        if token:
            self.assertIn("x-amz-security-token", signed)
        when = datetime.datetime.strptime(sent["x-amz-date"], "%Y%m%dT%H%M%SZ")
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        self.assertLess(abs((now - when).total_seconds()), 300)

    def test_botocore_makes_the_same(self):
        self.check()
        self.check(region="us-east-1", AWS_REGION="us-east-1")
        self.check(token="session/token+with=signs", AWS_SESSION_TOKEN="session/token+with=signs")


class Chain(AwsCase):
    """Which credentials are used: the recorder sees the access key of each request."""

    def setUp(self):
        super().setUp()
        self.env.update(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
        self.keys = []

        def script(method, path, headers, body):
            if path == "/latest/api/token":
                ok = method == "PUT" and "X-Aws-Ec2-Metadata-Token-Ttl-Seconds" in {k.title() for k in headers}
                return (200, {}, b"imds-token") if ok else (400, {}, b"")
            lower = {name.lower(): value for name, value in headers.items()}
            if path.startswith("/latest/meta-data/iam/security-credentials/"):
                if lower.get("x-aws-ec2-metadata-token") != "imds-token":
                    return 401, {}, b""
                return (200, {}, b"the-role") if path.endswith("/") else self.credentials("IMDSKEY")
            if path == "/container":
                return self.credentials("CONTAINERKEY") if lower.get("authorization") == "Bearer x" else (403, {}, b"")
            if path == "/token":
                asked = json.loads(body)
                if asked != {"clientId": "id", "clientSecret": "never-told", "grantType": "refresh_token",
                             "refreshToken": "refresh-1"}:
                    return 400, {}, b'{"error": "invalid_grant"}'
                made = {"accessToken": "sso-token", "expiresIn": 3600, "refreshToken": "refresh-2"}
                return 200, {}, json.dumps(made).encode()
            if path.startswith("/federation/credentials?role_name=reader&account_id=123"):
                if lower.get("x-amz-sso_bearer_token") != "sso-token":
                    return 401, {}, b"{}"
                return (
                    200,
                    {},
                    json.dumps(
                        {
                            "roleCredentials": {
                                "accessKeyId": "SSOKEY",
                                "secretAccessKey": "s",
                                "sessionToken": "t",
                                "expiration": 4102444800000,
                            }
                        }
                    ).encode(),
                )
            self.keys.append(lower["authorization"].split("Credential=")[1].split("/")[0])
            return answer(VALUE)

        self.recorder = self.record(script)
        self.env["AWS_ENDPOINT_URL"] = self.recorder.address

    @staticmethod
    def credentials(key):
        return (
            200,
            {},
            json.dumps(
                {
                    "AccessKeyId": key,
                    "SecretAccessKey": "s",
                    "Token": "t",
                    "Expiration": "2100-01-01T00:00:00Z",
                    "Code": "Success",
                }
            ).encode(),
        )

    def expect(self, key, **env):
        self.assertEqual(self.get("aws:prod/app", **env), VALUE)
        self.assertEqual(self.keys[-1], key)

    def test_environment_comes_first(self):
        self.write(".aws/credentials", "[default]\naws_access_key_id = FILEKEY\naws_secret_access_key = s\n")
        self.expect("ENVKEY", AWS_ACCESS_KEY_ID="ENVKEY", AWS_SECRET_ACCESS_KEY="s")
        self.expect("FILEKEY")
        self.assertIn("only one of", self.get("aws:prod/app", AWS_ACCESS_KEY_ID="ENVKEY"))

    def test_profile_files(self):
        self.write(
            ".aws/credentials",
            "# comment\n[default]\naws_access_key_id=ONE\naws_secret_access_key=s\n"
            "[two]\naws_access_key_id = TWO ; comment\naws_secret_access_key = s\n",
        )
        self.write(
            ".aws/config",
            "[default]\nregion = eu-west-1\n[profile three]\naws_access_key_id = THREE\n"
            "aws_secret_access_key = s\ns3 =\n  aws_access_key_id = NO\nregion = eu-west-3\n",
        )
        self.expect("ONE", AWS_REGION=None)
        self.expect("TWO", AWS_PROFILE="two")
        self.expect("THREE", AWS_PROFILE="three", AWS_REGION=None)
        self.assertIn("/eu-west-3/", self.recorder.seen[-1][2]["Authorization"])
        other = self.write("elsewhere", "[default]\naws_access_key_id=OTHER\naws_secret_access_key=s\n")
        self.expect("OTHER", AWS_SHARED_CREDENTIALS_FILE=other)

    def test_sso(self):
        self.write(
            ".aws/config",
            "[profile dev]\nsso_session = corp\nsso_account_id = 123\nsso_role_name = reader\n"
            "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n",
        )
        name = hashlib.sha1(b"corp").hexdigest()
        self.assertIn("aws sso login --profile dev", self.get("aws:prod/app", AWS_PROFILE="dev"))
        self.write(
            f".aws/sso/cache/{name}.json", json.dumps({"accessToken": "sso-token", "expiresAt": "2001-01-01T00:00:00Z"})
        )
        self.assertIn("has ended", self.get("aws:prod/app", AWS_PROFILE="dev"))
        self.write(
            f".aws/sso/cache/{name}.json", json.dumps({"accessToken": "sso-token", "expiresAt": "2100-01-01T00:00:00Z"})
        )
        self.expect("SSOKEY", AWS_PROFILE="dev")

    def test_an_sso_session_that_has_ended_is_refreshed(self):
        session = ("[profile dev]\nsso_session = corp\nsso_account_id = 123\nsso_role_name = reader\n"
                   "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n")
        self.write(".aws/config", session)
        ended = {"startUrl": "https://corp.example/start", "accessToken": "old", "expiresAt": "2001-01-01T00:00:00Z",
                 "clientId": "id", "clientSecret": "never-told",
                 "registrationExpiresAt": "2100-01-01T00:00:00Z",
                 "refreshToken": "refresh-1"}
        name = f".aws/sso/cache/{hashlib.sha1(b'corp').hexdigest()}.json"
        path = pathlib.Path(self.write(name, json.dumps(ended)))
        self.expect("SSOKEY", AWS_PROFILE="dev")
        cache = json.loads(path.read_text())
        self.assertEqual((cache["accessToken"], cache["refreshToken"]), ("sso-token", "refresh-2"))
        self.assertEqual(cache["startUrl"], ended["startUrl"])
        self.assertGreater(cache["expiresAt"], time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        # Its first refresh token is good once; one who still has it is told to log in.
        for change, says in (({"refreshToken": "used"}, "gives no new token"),
                             ({"registrationExpiresAt": "2001-01-01T00:00:00Z"}, "has ended: run aws sso login")):
            self.write(name, json.dumps(ended | change))
            told = self.get("aws:prod/app", AWS_PROFILE="dev")
            self.assertIn(says, told)
            self.assertNotIn("never-told", told)

    def test_container(self):
        uri = self.recorder.address + "/container"
        self.expect(
            "CONTAINERKEY", AWS_CONTAINER_CREDENTIALS_FULL_URI=uri, AWS_CONTAINER_AUTHORIZATION_TOKEN="Bearer x"
        )
        token = self.write("token", "Bearer x\n")
        self.expect(
            "CONTAINERKEY", AWS_CONTAINER_CREDENTIALS_FULL_URI=uri, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token
        )
        self.assertIn("refuses", self.get("aws:prod/app", AWS_CONTAINER_CREDENTIALS_FULL_URI=uri))
        for bad in (
            "http://192.0.2.1/x",
            "http://127.0.0.1.example.com/x",
            "http://localhost.example.com/",
            "http://127.0.0.1@192.0.2.1/",
        ):
            self.assertIn("neither https nor", self.get("aws:prod/app", AWS_CONTAINER_CREDENTIALS_FULL_URI=bad))

    def test_instance(self):
        self.expect("IMDSKEY", AWS_EC2_METADATA_DISABLED=None, AWS_EC2_METADATA_SERVICE_ENDPOINT=self.recorder.address)
        self.assertIn("there are no AWS credentials", self.get("aws:prod/app"))

    def process(self, printed, code=0, name="default"):
        """A profile whose credential_process is a script of a name with a blank, and prints this."""
        said = self.write("said.json", printed if isinstance(printed, str) else json.dumps(printed))
        script = self.write(
            "its helper",
            f'#!/bin/sh\necho x >>"{self.folder}/started"\ntest "$2" = "two words" || exit 9\n'
            f'test ! -e /proc/self/fd/3 || exit 8\necho {SECRET} >&2\ncat "{said}"\nexit {code}\n',
        )
        os.chmod(script, 0o755)
        self.write(".aws/config", f'[{name}]\ncredential_process = "{script}" --name "two words"\n')

    def test_a_process(self):
        keys = {"Version": 1, "AccessKeyId": "PROCESSKEY", "SecretAccessKey": "s"}
        self.process(keys)
        self.expect("PROCESSKEY")
        self.process(keys | {"SessionToken": "t", "Expiration": "2100-01-01T00:00:00+09:00"}, name="profile dev")
        self.expect("PROCESSKEY", AWS_PROFILE="dev")
        self.assertEqual(self.recorder.seen[-1][2]["X-Amz-Security-Token"], "t")
        for printed, code, says in (
            (keys, 3, "exit code 3"),
            ("", 0, "no JSON object"),
            ("[]", 0, "no JSON object"),
            (keys | {"Version": 2}, 0, "no JSON object"),
            (keys | {"SecretAccessKey": ""}, 0, "no SecretAccessKey"),
            ("x" * 70000, 0, "more than 65536 bytes"),
        ):
            self.process(printed, code)
            self.assertIn(says, self.get("aws:prod/app"))
        for command, says in (("/no/such/helper", "cannot be started"), ("sh 'x", "not closed")):
            self.write(".aws/config", f"[default]\ncredential_process = {command}\n")
            self.assertIn(says, self.get("aws:prod/app"))

    def test_what_a_process_says_is_used_until_its_end(self):
        from engine import Engine

        engine = Engine(os.path.join(self.folder, "socket"), casemate.environment(**self.env), "--pool-size", "1")
        self.addCleanup(engine.end)
        started = pathlib.Path(self.folder, "started")

        def asked(expiration, *names):
            started.unlink(missing_ok=True)
            self.process({"Version": 1, "AccessKeyId": "K", "SecretAccessKey": "s", "Expiration": expiration})
            for name in names:
                _, result = engine.run(code=LOOK, secrets={"S": f"aws:{name}"})
                self.assertEqual(plain(result["result"]["S"]), VALUE, result)
            return len(started.read_text().split())

        self.assertEqual(asked("2001-01-01T00:00:00Z", "one", "two"), 2)
        self.assertEqual(asked("2100-01-01T00:00:00Z", "three", "four"), 1)

    def test_sources_of_a_role(self):
        self.write(
            ".aws/config",
            "".join(
                f"[profile {name}]\nrole_arn = arn:aws:iam::123456789012:role/app\ncredential_source = {name}\n"
                for name in ("Environment", "EcsContainer", "Ec2InstanceMetadata", "Elsewhere")
            )
            + "[profile both]\nrole_arn = a\ncredential_source = Environment\nsource_profile = both\n",
        )

        def sts(method, path, headers, body):
            signed = headers["Authorization"].split("Credential=")[1].split("/")[0]
            return (200, {}, f"<AccessKeyId>{signed}OFROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>".encode())

        uri, host = self.recorder.address + "/container", self.recorder.address
        env = {"AWS_ENDPOINT_URL_STS": self.record(sts).address}
        self.expect("CONTAINERKEYOFROLE", AWS_PROFILE="EcsContainer", AWS_CONTAINER_CREDENTIALS_FULL_URI=uri,
                    AWS_CONTAINER_AUTHORIZATION_TOKEN="Bearer x", **env)
        self.expect("IMDSKEYOFROLE", AWS_PROFILE="Ec2InstanceMetadata", AWS_EC2_METADATA_DISABLED=None,
                    AWS_EC2_METADATA_SERVICE_ENDPOINT=host, **env)
        for profile, says in (("Environment", "has no credentials"), ("Elsewhere", "credential_source"),
                              ("both", "leave one out")):
            self.assertIn(says, self.get("aws:prod/app", AWS_PROFILE=profile, **env))

    def test_what_is_not_supported_says_so(self):
        self.write(
            ".aws/config",
            "[profile mfa]\nrole_arn = arn:x\n"
            "source_profile = keys\nmfa_serial = x\n[profile keys]\naws_access_key_id = K\n"
            "aws_secret_access_key = s\n[profile ring]\nrole_arn = a\nsource_profile = ring\n",
        )
        self.assertIn("mfa_serial", self.get("aws:prod/app", AWS_PROFILE="mfa"))
        self.assertIn("leads to itself", self.get("aws:prod/app", AWS_PROFILE="ring"))


class Failures(AwsCase):
    def expect_error(self, says, *answers, **env):
        queue = list(answers)
        recorder = self.record(lambda *words: queue.pop(0) if len(queue) > 1 else queue[0])
        self.assertIn(says, self.get("aws:prod/app", AWS_ENDPOINT_URL=recorder.address, **env))
        return recorder

    def test_errors_of_the_service(self):
        def failure(name, status=400):
            return answer(status=status, __type=name, Message=VALUE)

        self.expect_error("allow secretsmanager:GetSecretValue", failure("AccessDeniedException"))
        self.expect_error("does not know", failure("com.amazonaws#UnrecognizedClientException"))
        self.expect_error("wrong clock", failure("InvalidSignatureException"))
        self.expect_error("kms:Decrypt", failure("DecryptionFailure"))
        self.expect_error("have ended", failure("ExpiredTokenException"))
        self.expect_error("too often", failure("ThrottlingException"))
        self.expect_error("try again later", failure("InternalServiceError", 500))
        self.expect_error("may not be read", (403, {}, b""))
        self.expect_error("try again later", (404, {}, b""))
        self.expect_error("sends us elsewhere", (307, {"Location": "http://127.0.0.1:1/"}, b""))

    def test_throttling_is_waited_out(self):
        throttled = answer(status=400, __type="ThrottlingException")
        recorder = self.expect_error(VALUE, throttled, (503, {}, b""), answer(VALUE))
        self.assertEqual(len(recorder.seen), 3)
        recorder = self.expect_error(VALUE, (429, {"Retry-After": "0"}, b""), (500, {}, b""), answer(VALUE))
        self.assertEqual(len(recorder.seen), 3)

    def test_nonsense(self):
        for body in (
            b"",
            b"<html>",
            b"[]",
            b"{}",
            b'{"SecretString":5}',
            b'{"SecretBinary":"%"}',
            b"\xff\0",
            b"[" * 100000,
        ):
            with self.subTest(body[:20]):
                self.expect_error("error: ", (200, {}, body))
        self.expect_error("answers with too much", (200, {}, b" " * (2 << 20)))
        self.expect_error("is empty", answer(""))
        self.expect_error("more than", answer("x" * 70000))
        self.expect_error("zero byte", answer("a\0b"))

    def test_a_slow_drip_ends_in_time(self):
        drip = support_secrets.RawServer([b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"] + [b" "] * 100, 1.0)
        self.addCleanup(drip.close)
        env = {"AWS_ENDPOINT_URL": drip.address, "CASEMATE_SECRETS_TIMEOUT": "2s"}
        self.assertIn("does not answer in time", self.get("aws:prod/app", **env))
        short = support_secrets.RawServer([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"])
        self.addCleanup(short.close)
        self.assertIn("broke off", self.get("aws:prod/app", AWS_ENDPOINT_URL=short.address))

    def test_no_server_and_no_region(self):
        self.assertIn("cannot be reached", self.get("aws:prod/app", AWS_ENDPOINT_URL="http://127.0.0.1:1"))
        self.assertIn("set AWS_REGION", self.get("aws:prod/app", AWS_REGION=None))
        self.assertIn("set AWS_REGION", self.get("aws:prod/app", AWS_REGION="evil.example.com/"))


class OverTls(AwsCase):
    def test_its_authority_is_named(self):
        authority, pem = support_secrets.certificates(self.folder)
        recorder = self.record(lambda *words: answer(VALUE), certificate=pem)
        self.assertEqual(self.get("aws:prod/app", AWS_ENDPOINT_URL=recorder.address, AWS_CA_BUNDLE=authority), VALUE)
        seen = len(recorder.seen)
        self.assertIn("not trusted", self.get("aws:prod/app", AWS_ENDPOINT_URL=recorder.address))
        other = tempfile.TemporaryDirectory()
        self.addCleanup(other.cleanup)
        wrong, _ = support_secrets.certificates(other.name)
        self.assertIn("not trusted", self.get("aws:prod/app", AWS_ENDPOINT_URL=recorder.address, AWS_CA_BUNDLE=wrong))
        self.assertEqual(len(recorder.seen), seen)

    def test_a_tunnel_through_a_proxy(self):
        authority, pem = support_secrets.certificates(self.folder)
        recorder = self.record(lambda *words: answer(VALUE), certificate=pem)
        tunnel = support_secrets.Tunnel()
        self.addCleanup(tunnel.close)
        env = {"AWS_ENDPOINT_URL": recorder.address, "AWS_CA_BUNDLE": authority, "https_proxy": tunnel.address}
        self.assertEqual(self.get("aws:prod/app", **env, no_proxy=""), VALUE)
        self.assertEqual(tunnel.asked, [recorder.address.removeprefix("https://")])
        self.assertEqual(self.get("aws:prod/app", **env, no_proxy="127.0.0.1"), VALUE)
        self.assertEqual(len(tunnel.asked), 1)

    def test_a_proxy_is_used(self):
        proxy = self.record(lambda *words: answer(VALUE))
        self.assertEqual(
            self.get(
                "aws:prod/app", AWS_ENDPOINT_URL="http://secrets.example.com", http_proxy=proxy.address, no_proxy=""
            ),
            VALUE,
        )
        self.assertEqual(proxy.seen[0][1], "http://secrets.example.com/")


if __name__ == "__main__":
    unittest.main(verbosity=2)
