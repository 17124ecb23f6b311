#!/usr/bin/env python3
"""Secrets of a real OpenBao server: engines, versions, logins, wrapped tokens, leases, namespaces, refusals, TLS. The
strict server of test_vault.py has what a real one cannot be made to do."""

import base64
import json
import os
import pathlib
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import support_secrets  # noqa: E402

support_secrets.run_with_packages()
import casemate  # noqa: E402
import openbao  # noqa: E402
from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: E402
from engine import Engine  # noqa: E402

VALUE = "hunter2-of-a-real-server"
LOOK, plain = support_secrets.LOOK, support_secrets.plain


def service_account_token():
    """What a pod of the service account `app` has: a JSON web token, signed (RS256)."""
    now = int(time.time())
    pod = {"namespace": "default", "serviceaccount": {"name": "app", "uid": "u"}}
    claims = {"sub": "system:serviceaccount:default:app", "iat": now, "nbf": now - 5, "exp": now + 600}
    parts = [{"alg": "RS256", "typ": "JWT"}, claims | {"kubernetes.io": pod}]
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


class BaoCase(unittest.TestCase):
    maxDiff = 2000
    tls = False

    @classmethod
    def setUpClass(cls):
        if openbao.binary() is None:
            raise unittest.SkipTest("OpenBao is not here: tools/fetch_openbao brings it")
        cls.place = tempfile.TemporaryDirectory(prefix="casemate-openbao-")
        cls.addClassCleanup(cls.place.cleanup)
        cls.bao = openbao.Bao(cls.place.name, cls.tls)
        cls.addClassCleanup(cls.bao.close)
        cls.bao.must("POST", "secret/data/app", {"data": {"key": VALUE, "number": 5, "flag": True, "empty": ""}})
        policy = 'path "secret/*" { capabilities = ["read"] }\npath "rabbitmq/*" { capabilities = ["read"] }'
        cls.bao.must("PUT", "sys/policies/acl/app", {"policy": policy})

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="casemate-openbao-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.env = {
            "VAULT_ADDR": self.bao.address,
            "VAULT_TOKEN": openbao.ROOT_TOKEN,
            "HOME": self.folder,
            "CASEMATE_STATE_DIR": os.path.join(self.folder, "state"),
        }

    def run_with(self, *references, code=LOOK, **env):
        flags = [word for i, reference in enumerate(references) for word in ("--secret", f"S{i}={reference}")]
        return casemate.run(
            ["run", "--json", "--no-engine", *flags, "-c", code], env=casemate.environment(**{**self.env, **env})
        )

    def expect(self, values, *references, **env):
        done = self.run_with(*references, **env)
        self.assertEqual(done["status"], "ok", done.tell())
        self.assertEqual([plain(done["result"].get(f"S{i}")) for i in range(len(references))], values)

    def expect_error(self, says, reference="vault:secret/app#key", **env):
        done = self.run_with(reference, **env)
        self.assertNotEqual(done.code, 0, done.tell())
        text = done["error"]["message"]
        self.assertIn(says, text)
        for secret in (VALUE, openbao.ROOT_TOKEN, env.get("VAULT_TOKEN") or VALUE):
            self.assertNotIn(secret, text)


class Reading(BaoCase):
    def test_engines_versions_and_fields(self):
        bao = self.bao
        bao.must("POST", "sys/mounts/kv1", {"type": "kv", "options": {"version": "1"}})
        bao.must("POST", "sys/mounts/team/deep/kv", {"type": "kv-v2"})
        bao.must("POST", "kv1/plain", {"key": "first version of the engine"})
        # A mount's first second is spent upgrading it.
        casemate.settle(lambda: bao.call("POST", "team/deep/kv/data/a/b", {"data": {"key": "deep"}})[0] != 200, 20)
        for value in ("one", "two", "three"):
            bao.must("POST", "secret/data/versions", {"data": {"key": value}})
        self.expect([VALUE, "5", "true"], *(f"vault:secret/app#{name}" for name in ("key", "number", "flag")))
        self.expect(
            ["first version of the engine", "deep", "three", "two"],
            "vault:kv1/plain#key",
            "vault:team/deep/kv/a/b#key",
            "vault:secret/versions#key",
            "vault:secret/versions?version=2#key",
        )
        bao.must("POST", "secret/delete/versions", {"versions": [3]})
        bao.must("PUT", "secret/destroy/versions", {"versions": [1]})
        self.expect_error("is deleted", "vault:secret/versions#key")
        self.expect_error("is destroyed", "vault:secret/versions?version=1#key")
        self.expect_error("no version 9 of secret/versions", "vault:secret/versions?version=9#key")
        self.expect_error("Vault has no secret/none", "vault:secret/none#key")
        self.expect_error("has no field none", "vault:secret/app#none")
        self.expect_error("is empty", "vault:secret/app#empty")
        self.expect_error("nothing is mounted", "vault:nowhere/app#key")
        self.expect_error("keeps no versions", "vault:kv1/plain?version=1#key")

    def test_namespaces(self):
        self.bao.must("POST", "sys/namespaces/crew", {})
        self.bao.must("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "1"}}, namespace="crew")
        self.bao.must("POST", "kv/app", {"key": "of the crew"}, namespace="crew")
        self.expect(["of the crew"], "vault:kv/app#key", VAULT_NAMESPACE="crew")
        self.expect(["of the crew"], "vault:kv/app#key", VAULT_NAMESPACE=None, BAO_NAMESPACE="crew/")
        self.expect_error("nothing is mounted", "vault:kv/app#key")

    def test_a_warm_engine_asks_once(self):
        engine = Engine(os.path.join(self.folder, "socket"), casemate.environment(**self.env), "--pool-size", "1")
        self.addCleanup(engine.end)
        self.bao.must("POST", "secret/data/kept", {"data": {"key": "before"}})
        request = {"code": LOOK, "secrets": {"S": "vault:secret/kept#key"}}
        for _ in range(2):
            self.assertEqual(plain(engine.run(**request)[1]["result"]["S"]), "before")
            self.bao.must("POST", "secret/data/kept", {"data": {"key": "after"}})


class Logins(BaoCase):
    def setUp(self):
        super().setUp()
        self.env["VAULT_TOKEN"] = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        bao = cls.bao
        for method in ("approle", "userpass", "kubernetes"):
            bao.must("POST", f"sys/auth/{method}", {"type": method})
        bao.must("POST", "sys/auth/other", {"type": "userpass"})
        bao.must("POST", "auth/approle/role/app", {"token_policies": "app", "token_ttl": "1h"})
        cls.role = bao.must("GET", "auth/approle/role/app/role-id")["data"]["role_id"]
        cls.secret_id = bao.must("POST", "auth/approle/role/app/secret-id")["data"]["secret_id"]
        for mount in ("userpass", "other"):
            bao.must("POST", f"auth/{mount}/users/ann", {"password": "correct horse", "token_policies": "app"})

    def accessors(self):
        return set(self.bao.must("LIST", "auth/token/accessors")["data"]["keys"])

    def test_each_kind_and_they_end_with_us(self):
        before = self.accessors()
        one = "vault:secret/app#key"
        self.expect([VALUE], one, VAULT_ROLE_ID=self.role, VAULT_SECRET_ID=self.secret_id)
        self.expect([VALUE], one, VAULT_USERNAME="ann", VAULT_PASSWORD="correct horse")
        self.expect([VALUE], one, VAULT_USERNAME="ann", VAULT_PASSWORD="correct horse", VAULT_AUTH_PATH="other")
        self.assertEqual(self.accessors(), before)
        pathlib.Path(self.folder, ".vault-token").write_text(openbao.ROOT_TOKEN + "\n")
        self.expect([VALUE], one)
        self.expect([VALUE], one, VAULT_ADDR=None, BAO_ADDR=self.bao.address)

    def test_kubernetes(self):
        cluster = openbao.Beside()
        self.addCleanup(cluster.close)
        authority, _ = support_secrets.certificates(self.folder)
        config = {"kubernetes_host": cluster.address, "kubernetes_ca_cert": pathlib.Path(authority).read_text()}
        config |= {"disable_local_ca_jwt": True, "disable_iss_validation": True}
        self.bao.must("POST", "auth/kubernetes/config", config)
        role = {"bound_service_account_names": "app", "bound_service_account_namespaces": "default"}
        self.bao.must("POST", "auth/kubernetes/role/app", role | {"token_policies": "app"})
        path = os.path.join(self.folder, "jwt")
        pathlib.Path(path).write_text(service_account_token() + "\n")
        env = {"VAULT_KUBERNETES_ROLE": "app", "VAULT_KUBERNETES_TOKEN_FILE": path}
        self.expect([VALUE], "vault:secret/app#key", **env)
        self.assertIn("/tokenreviews", cluster.seen[-1][1])
        pathlib.Path(path).write_text("no.token.atall")
        self.expect_error("Vault at", "vault:secret/app#key", **env)

    def test_wrapped_tokens(self):
        def wrap(method, path, body=None):
            return self.bao.must(method, path, body, X_Vault_Wrap_TTL="60s")["wrap_info"]["token"]

        one = "vault:secret/app#key"
        token = wrap("POST", "auth/token/create", {"policies": ["app"]})
        self.expect([VALUE], one, VAULT_WRAPPED_TOKEN=token)
        self.expect_error("does not understand", one, VAULT_WRAPPED_TOKEN=token)
        secret_id = wrap("POST", "auth/approle/role/app/secret-id", {})
        self.expect([VALUE], one, VAULT_WRAPPED_TOKEN=secret_id, VAULT_ROLE_ID=self.role)

    def test_refusals(self):
        self.expect_error("does not understand", VAULT_ROLE_ID=self.role, VAULT_SECRET_ID="wrong-secret-id")
        self.expect_error("does not understand", VAULT_USERNAME="ann", VAULT_PASSWORD="wrong-password")
        self.expect_error("refuses access", VAULT_TOKEN="hvs.wrong-token-of-nobody")
        child = self.bao.must("POST", "auth/token/create", {"policies": ["app"], "ttl": "2s"})["auth"]["client_token"]
        self.expect([VALUE], "vault:secret/app#key", VAULT_TOKEN=child)
        time.sleep(2.5)
        self.expect_error("may have expired", VAULT_TOKEN=child)
        poor = self.bao.must("POST", "auth/token/create", {"policies": ["default"]})["auth"]["client_token"]
        self.expect_error("its policies lack this path", VAULT_TOKEN=poor)


class Leases(BaoCase):
    def setUp(self):
        super().setUp()
        self.broker = openbao.Beside()
        self.addCleanup(self.broker.close)
        self.bao.must("POST", "sys/mounts/rabbitmq", {"type": "rabbitmq"})
        self.addCleanup(lambda: self.bao.call("DELETE", "sys/mounts/rabbitmq"))
        self.bao.must(
            "POST",
            "rabbitmq/config/connection",
            {"connection_uri": self.broker.address, "username": "u", "password": "p", "verify_connection": False},
        )
        self.bao.must("POST", "rabbitmq/roles/app", {"vhosts": '{"/": {"write": ".*", "read": ".*"}}'})

    def test_one_lease_for_two_fields_and_it_is_revoked(self):
        done = self.run_with("vault:rabbitmq/creds/app#username", "vault:rabbitmq/creds/app#password")
        self.assertEqual(done["status"], "ok", done.tell())
        made = [path for method, path, _ in self.broker.seen if method == "PUT" and path.startswith("/api/users/")]
        self.assertEqual([path.rsplit("/", 1)[1] for path in made], [plain(done["result"]["S0"])])
        casemate.settle(lambda: self.broker.users, 20)
        self.assertEqual(self.broker.users, set())

    def test_a_lease_is_renewed_while_it_is_used(self):
        self.bao.must("POST", "rabbitmq/config/lease", {"ttl": "3s", "max_ttl": "60s"})
        done = self.run_with("vault:rabbitmq/creds/app#password", code="import time; time.sleep(6)")
        self.assertEqual(done["status"], "ok", done.tell())
        casemate.settle(lambda: self.broker.users, 20)
        self.assertEqual(self.broker.users, set())
        times = {method: when for method, path, when in self.broker.seen if path.startswith("/api/users/")}
        # Unrenewed, the server would have ended it after three seconds.
        self.assertGreater(times["DELETE"] - times["PUT"], 5.5)


class Sealed(BaoCase):
    def test_a_sealed_server_says_so(self):
        self.expect([VALUE], "vault:secret/app#key")
        self.bao.must("PUT", "sys/seal")
        self.expect_error("is sealed")


class OverTls(BaoCase):
    tls = True

    def test_its_authority_is_named(self):
        self.expect([VALUE], "vault:secret/app#key", VAULT_CACERT=self.bao.authority)
        self.expect_error("not trusted")
        self.expect_error("cannot be read", VAULT_CACERT="/nonexistent")


if __name__ == "__main__":
    unittest.main(verbosity=2)
