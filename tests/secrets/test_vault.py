#!/usr/bin/env python3
"""Secrets of Vault: every engine, login and failure against a strict server, which hvac, the public client, is checked
against first; in the open and over TLS."""

import json
import os
import pathlib
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import support_secrets  # noqa: E402

support_secrets.run_with_packages()
import hvac  # noqa: E402
import vault_server  # noqa: E402
import casemate  # noqa: E402

VALUE = "hunter2-of-the-vault-server"
LOOK, plain = support_secrets.LOOK, support_secrets.plain


class VaultCase(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="casemate-vault-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.server = self.start()
        self.vault = self.server.vault
        self.vault.put("secret/app", {"key": VALUE, "number": 5, "flag": True, "empty": ""})
        self.env = {
            "VAULT_ADDR": self.server.address,
            "VAULT_TOKEN": self.vault.root,
            "HOME": self.folder,
            "CASEMATE_STATE_DIR": os.path.join(self.folder, "state"),
        }

    def start(self):
        server = vault_server.Server()
        self.addCleanup(server.close)
        return server

    def get(self, *references, **env):
        """The values, through a run, which is what they are for."""
        flags = [word for i, reference in enumerate(references) for word in ("--secret", f"S{i}={reference}")]
        done = casemate.run(
            ["run", "--json", "--no-engine", *flags, "-c", LOOK], env=casemate.environment(**{**self.env, **env})
        )
        if done.code != 0:
            text = done["error"]["message"]
            for secret in (VALUE, self.vault.root):
                self.assertNotIn(secret, text)
            return text
        return [plain(done["result"].get(f"S{i}")) for i in range(len(references))]

    def expect(self, value, *references, **env):
        self.assertEqual(self.get(*references, **env), value)

    def expect_error(self, says, reference="vault:secret/app#key", **env):
        answer = self.get(reference, **env)
        self.assertIsInstance(answer, str)
        self.assertIn(says, answer)


class Hvac(VaultCase):
    """The server speaks the protocol as the public client does."""

    def test_it_serves_hvac(self):
        client = hvac.Client(url=self.server.address, token=self.vault.root)
        self.assertTrue(client.is_authenticated())
        kv = client.secrets.kv
        self.assertEqual(kv.v2.read_secret_version("app", raise_on_deleted_version=True)["data"]["data"]["key"], VALUE)
        kv.v2.create_or_update_secret("written", {"a": "b"})
        self.expect(["b"], "vault:secret/written#a")
        kv.v1.create_or_update_secret("old", {"c": "d"}, mount_point="kv1")
        self.expect(["d"], "vault:kv1/old#c")
        login = hvac.Client(url=self.server.address)
        login.auth.approle.login("role-1", "secret-id-1")
        self.assertTrue(login.is_authenticated())
        login.auth.userpass.login("ann", "correct horse")
        lease = client.secrets.database.generate_credentials("app")
        self.assertEqual(client.sys.renew_lease(lease["lease_id"])["lease_id"], lease["lease_id"])
        client.sys.revoke_lease(lease["lease_id"])
        self.assertEqual(self.vault.leases, {})


class Reading(VaultCase):
    def test_versions_and_kinds(self):
        self.vault.put("secret/app", {"key": "second"})
        self.vault.put("kv1/plain", {"key": "first version of the engine"})
        self.vault.put("team/deep/kv/a/b", {"key": "deep"})
        self.expect(["second"], "vault:secret/app#key")
        self.expect(
            [VALUE, "5", "true"],
            "vault:secret/app?version=1#key",
            "vault:secret/app?version=1#number",
            "vault:secret/app?version=1#flag",
        )
        self.expect(["first version of the engine", "deep"], "vault:kv1/plain#key", "vault:team/deep/kv/a/b#key")
        self.expect_error("keeps no versions", "vault:kv1/plain?version=1#key")

    def test_what_is_missing_lets_the_chain_go_on(self):
        path = os.path.join(self.folder, "key")
        pathlib.Path(path).write_text("from a file")
        os.chmod(path, 0o600)
        for reference in ("vault:secret/none#key", "vault:secret/app#none", "vault:secret/app?version=9#key"):
            done = casemate.run(
                [
                    "run",
                    "--json",
                    "--no-engine",
                    "--secret",
                    f"S={reference}",
                    "--secret",
                    f"S=file:{path}",
                    "-c",
                    LOOK,
                ],
                env=casemate.environment(**self.env),
            )
            self.assertEqual(plain(done["result"]["S"]), "from a file", done.tell())
            self.expect_error("there is no value for the secret", reference)
        self.vault.v2["secret/app"][0]["deleted"] = "2026-01-01T00:00:00Z"
        self.expect_error("is deleted")

    def test_a_failure_does_not(self):
        done = casemate.run(
            [
                "run",
                "--json",
                "--no-engine",
                "--secret",
                "S=vault:secret/app#key",
                "--secret",
                "S=env:HOME",
                "-c",
                LOOK,
            ],
            env=casemate.environment(**{**self.env, "VAULT_TOKEN": "wrong"}),
        )
        self.assertEqual(done["status"], "unavailable", done.tell())

    def test_namespaces(self):
        self.vault.namespace = "team"
        self.expect([VALUE], "vault:secret/app#key", VAULT_NAMESPACE="team")
        self.expect_error("nothing mounted")

    def test_one_lease_for_two_fields_and_it_is_revoked(self):
        name, password = self.get("vault:database/creds/app#username", "vault:database/creds/app#password")
        self.assertEqual(name[-4:], password[-4:])
        self.assertEqual(self.vault.leases, {})
        self.assertIn("/v1/sys/leases/revoke", [path for _, path, _ in self.vault.seen])

    def test_a_lease_is_renewed_while_it_is_used(self):
        self.vault.lease_ttl = 3
        done = casemate.run(
            [
                "run",
                "--json",
                "--no-engine",
                "--secret",
                "S=vault:database/creds/app#password",
                "-c",
                "import time; time.sleep(5)",
            ],
            env=casemate.environment(**self.env),
        )
        self.assertEqual(done["status"], "ok", done.tell())
        self.assertIn("/v1/sys/leases/renew", [path for _, path, _ in self.vault.seen])

    def test_ten_cost_one_round_trip(self):
        self.get("vault:secret/app#key")
        for i in range(10):
            self.vault.put(f"secret/many{i}", {"key": f"value-{i}"})
        self.vault.delay = 0.3
        done = casemate.run(
            [
                "run",
                "--json",
                "--no-engine",
                *[word for i in range(10) for word in ("--secret", f"S{i}=vault:secret/many{i}#key")],
                "-c",
                LOOK,
            ],
            env=casemate.environment(**self.env),
        )
        self.assertEqual([plain(done["result"][f"S{i}"]) for i in range(10)], [f"value-{i}" for i in range(10)])
        spent = next(t["microseconds"] for t in done["timings"] if t["step"] == "secrets")
        # Two answers one after the other (the mount, the value); ten in a row would be six seconds.
        self.assertLess(spent, 2_500_000 * casemate.SLOW)


class Logins(VaultCase):
    def setUp(self):
        super().setUp()
        self.env["VAULT_TOKEN"] = None

    def test_each_kind(self):
        self.expect([VALUE], "vault:secret/app#key", VAULT_ROLE_ID="role-1", VAULT_SECRET_ID="secret-id-1")
        self.expect(
            [VALUE],
            "vault:secret/app#key",
            VAULT_ROLE_ID="role-1",
            VAULT_SECRET_ID="secret-id-1",
            VAULT_AUTH_PATH="other-role",
        )
        self.expect([VALUE], "vault:secret/app#key", VAULT_USERNAME="ann", VAULT_PASSWORD="correct horse")
        jwt = os.path.join(self.folder, "jwt")
        pathlib.Path(jwt).write_text("jwt-of-the-pod\n")
        self.expect([VALUE], "vault:secret/app#key", VAULT_KUBERNETES_ROLE="app", VAULT_KUBERNETES_TOKEN_FILE=jwt)
        pathlib.Path(self.folder, ".vault-token").write_text(self.vault.root + "\n")
        self.expect([VALUE], "vault:secret/app#key")
        self.expect([VALUE], "vault:secret/app#key", VAULT_ADDR=None, BAO_ADDR=self.server.address)

    def test_logins_of_our_own_end_with_us(self):
        before = set(self.vault.tokens)
        self.expect([VALUE], "vault:secret/app#key", VAULT_USERNAME="ann", VAULT_PASSWORD="correct horse")
        self.assertEqual(set(self.vault.tokens), before)

    def test_wrapped_tokens(self):
        self.vault.wrapped["wrap-1"] = self.vault.issue()
        self.expect([VALUE], "vault:secret/app#key", VAULT_WRAPPED_TOKEN="wrap-1")
        self.vault.wrapped["wrap-2"] = vault_server.envelope({"secret_id": "secret-id-1"})
        self.expect([VALUE], "vault:secret/app#key", VAULT_WRAPPED_TOKEN="wrap-2", VAULT_ROLE_ID="role-1")
        self.expect_error("does not understand", VAULT_WRAPPED_TOKEN="wrap-1")

    def test_refused_ones(self):
        self.expect_error("does not understand", VAULT_ROLE_ID="role-1", VAULT_SECRET_ID="wrong-secret-id")
        self.expect_error("does not understand", VAULT_USERNAME="ann", VAULT_PASSWORD="wrong-password")
        self.expect_error("VAULT_AUTH_PATH", VAULT_USERNAME="ann", VAULT_PASSWORD="x", VAULT_AUTH_PATH="nowhere")
        self.expect_error("Vault does not know us")
        self.expect_error("service account", VAULT_KUBERNETES_ROLE="app", VAULT_KUBERNETES_TOKEN_FILE="/nonexistent")


class Failures(VaultCase):
    def test_statuses(self):
        for status, says in (
            (403, "refuses access"),
            (400, "does not understand"),
            (301, "sends us elsewhere"),
            (307, "sends us elsewhere"),
            (418, "fails"),
        ):
            with self.subTest(status):
                self.vault.failures = [(status, [("Location", self.server.address + "/v1/elsewhere")], b"{}")]
                self.expect_error(says)
        elsewhere = [path for _, path, _ in self.vault.seen if "elsewhere" in path]
        self.assertEqual(elsewhere, [])

    def test_a_token_that_ends(self):
        self.vault.tokens["hvs.short"] = {"policies": ["app"], "until": time.monotonic() - 1}
        self.expect_error("may have expired", VAULT_TOKEN="hvs.short")
        # One of our own login is made anew.
        self.vault.token_ttl = 0
        self.vault.approle["role-2"] = "secret-id-2"
        self.expect_error("refuses access", VAULT_TOKEN=None, VAULT_ROLE_ID="role-2", VAULT_SECRET_ID="secret-id-2")
        self.assertEqual(len([path for _, path, _ in self.vault.seen if path == "/v1/auth/approle/login"]), 2)

    def test_a_proxy_is_used(self):
        env = {"VAULT_ADDR": "http://vault.example.com", "http_proxy": self.server.address, "no_proxy": ""}
        self.expect([VALUE], "vault:secret/app#key", **env)
        self.assertTrue(self.vault.seen[-1][1].startswith("http://vault.example.com/v1/"), self.vault.seen[-1])
        env = {"VAULT_ADDR": "https://vault.example.com", "https_proxy": "http://nowhere.invalid:1", "no_proxy": ""}
        self.expect_error("through the proxy", **env)

    def test_throttling_is_waited_out(self):
        self.vault.failures = [(429, [("Retry-After", "0")], b""), (503, [], b""), (500, [], b"")]
        self.expect([VALUE], "vault:secret/app#key")
        self.vault.failures = [(429, [("Retry-After", "0")], b"")] * 4
        self.expect_error("too many requests")
        self.vault.failures = [(503, [], b"")] * 4
        self.expect_error("sealed")

    def test_nonsense(self):
        for body in (b"", b"<html>", b"[]", b"{}", b'{"data":5}', b"\xff\0", b"[" * 100000):
            with self.subTest(body[:20]):
                self.vault.failures = [(200, [], body)]
                self.assertIsInstance(self.get("vault:secret/app#key"), str)
        self.vault.failures = [(200, [], b" " * (2 << 20))]
        self.expect_error("answers with too much")

    def test_values_that_no_variable_can_have(self):
        self.vault.put("secret/bad", {"empty": "", "huge": "x" * 70000, "zero": "a\0b", "null": None})
        self.expect_error("is empty", "vault:secret/bad#empty")
        self.expect_error("more than", "vault:secret/bad#huge")
        self.expect_error("zero byte", "vault:secret/bad#zero")
        self.expect_error("no field", "vault:secret/bad#null")

    def test_servers_that_are_none(self):
        self.expect_error("cannot be reached", VAULT_ADDR="http://127.0.0.1:1")
        self.expect_error("address of Vault is not known", VAULT_ADDR=None)
        for address in ("ftp://127.0.0.1", "127.0.0.1:8200", "http://user:pass@127.0.0.1"):
            self.expect_error("VAULT_ADDR is no address", VAULT_ADDR=address)
        raw = support_secrets.RawServer([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"])
        self.addCleanup(raw.close)
        self.expect_error("broke off", VAULT_ADDR=raw.address)
        self.expect_error("VAULT_SKIP_VERIFY", VAULT_SKIP_VERIFY="true")

    def test_a_slow_drip_ends_in_time(self):
        drip = support_secrets.RawServer([b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"] + [b" "] * 100, 1.0)
        self.addCleanup(drip.close)
        begin = time.monotonic()
        self.expect_error("does not answer in time", VAULT_ADDR=drip.address, CASEMATE_SECRETS_TIMEOUT="2s")
        self.assertLess(time.monotonic() - begin, 14 * casemate.SLOW)
        self.expect_error("CASEMATE_SECRETS_TIMEOUT", CASEMATE_SECRETS_TIMEOUT="soon")


class OverTls(VaultCase):
    def start(self):
        self.authority, pem = support_secrets.certificates(self.folder)
        server = vault_server.Server(pem)
        self.addCleanup(server.close)
        return server

    def test_its_authority_is_named(self):
        self.expect([VALUE], "vault:secret/app#key", VAULT_CACERT=self.authority)

    def test_others_are_not_trusted(self):
        self.expect_error("not trusted")
        other = tempfile.TemporaryDirectory()
        self.addCleanup(other.cleanup)
        authority, _ = support_secrets.certificates(other.name)
        self.expect_error("not trusted", VAULT_CACERT=authority)
        self.expect_error("cannot be read", VAULT_CACERT="/nonexistent")
        # The name in the certificate is 127.0.0.1.
        self.expect_error(
            "not trusted", VAULT_CACERT=self.authority, VAULT_ADDR=self.server.address.replace("127.0.0.1", "localhost")
        )
        self.assertEqual([seen for seen in self.vault.seen], [])


class Resident(VaultCase):
    def test_how_long_is_said_by_the_host(self):
        from engine import Engine

        env = casemate.environment(**self.env, CASEMATE_SECRETS_TTL="vault=0s")
        engine = Engine(os.path.join(self.folder, "socket"), env, "--pool-size", "1")
        self.addCleanup(engine.end)
        request = {"code": LOOK, "secrets": {"S": "vault:secret/app#key"}}
        self.assertEqual(plain(engine.run(**request)[1]["result"]["S"]), VALUE)
        # The helper keeps what it read for two seconds, so that two fields of it are of one reading.
        time.sleep(2.2)
        self.vault.put("secret/app", {"key": "written since"})
        self.assertEqual(plain(engine.run(**request)[1]["result"]["S"]), "written since")

    def test_values_are_kept_for_a_while(self):
        from engine import Engine

        engine = Engine(os.path.join(self.folder, "socket"), casemate.environment(**self.env), "--pool-size", "1")
        self.addCleanup(engine.end)
        request = {"code": LOOK, "secrets": {"S": "vault:secret/app#key"}}
        results = []
        threads = [
            threading.Thread(target=lambda: results.append(engine.run(**request)[1]["result"])) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([plain(result["S"]) for result in results], [VALUE] * 4)
        asked = len(self.vault.seen)
        status, result = engine.run(**request)
        self.assertEqual((status, plain(result["result"]["S"]), len(self.vault.seen)), (200, VALUE, asked))
        self.assertNotIn(VALUE, json.dumps({**result, "result": None}))


if __name__ == "__main__":
    unittest.main(verbosity=2)
