#!/usr/bin/env python3
"""Images as environments: layers, whiteouts, links and variables as a container would see them; the interpreter in
them; folders as roots; what is not there says so."""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support_environments import EnvironmentCase  # noqa: E402
import python_root  # noqa: E402
from images import docker_archive, entry, layer, oci_layout  # noqa: E402

# Any program that needs nothing else: what the host has to show a folder with.
PROGRAM = "/usr/bin/busybox"


def program_layer():
    """A root that has a shell: busybox where the host has it, else nothing can run in it."""
    data = pathlib.Path(PROGRAM).read_bytes()
    links = [entry(f"bin/{name}", link="busybox", kind=tarfile.SYMTYPE) for name in ("sh", "cat", "ls", "env")]
    return layer(entry("bin/busybox", data, mode=0o755), *links, entry("etc/motd", b"first\n"),
                 entry("opt/old/gone", b"x"), entry("opt/old/kept", b"x"), entry("srv/all/a", b"x"),
                 entry("lib", kind=tarfile.SYMTYPE, link="usr/lib"), entry("usr/lib", kind=tarfile.DIRTYPE, mode=0o755),
                 entry("usr/hard", b"one file"), entry("usr/hard2", kind=tarfile.LNKTYPE, link="usr/hard"))


SECOND = (entry("etc/motd", b"second\n"), entry("opt/old/.wh.gone"), entry("srv/all/b", b"x"),
          entry("srv/all/.wh..wh..opq"), entry("lib/through", b"in usr/lib\n"))


@unittest.skipUnless(os.path.exists(PROGRAM), "busybox is not installed here")
class Images(EnvironmentCase):
    def image(self, data, name="image.tar"):
        path = self.place / name
        path.write_bytes(data)
        return f"image:{path}"

    def check(self, name):
        done = self.ok("--environment", name, "--", "sh", "-c",
                       "cat /etc/motd /usr/lib/through /usr/hard2; ls /opt/old /srv/all; echo $GREETING; ls /")
        self.assertEqual(done["stdout"].split()[:9], ["second", "in", "usr/lib", "one", "file/opt/old:", "kept",
                                                      "/srv/all:", "b", "hello"], done["stdout"])
        self.assertNotIn("home", done["stdout"].split(), "the host is seen")
        return done

    def test_docker_archives_and_oci_layouts(self):
        layers = [program_layer(), layer(*SECOND)]
        first = self.check(self.image(docker_archive(layers, ["GREETING=hello", "PATH=/bin"])))
        second = self.check(self.image(oci_layout(layers, ["GREETING=hello", "PATH=/bin"]), "oci.tar"))
        self.assertEqual(first["environment"].split("@")[1], second["environment"].split("@")[1])
        self.assertEqual(self.command("verify").returncode, 0)

    def test_code_needs_an_interpreter(self):
        name = self.image(docker_archive([program_layer()]))
        done = self.run_json("--environment", name, "-c", "pass")
        self.assertEqual(done["status"], "unavailable", done.tell())
        self.assertIn("no Python", done["error"]["message"])

    def test_weaker_tiers_say_that_they_cannot(self):
        name = self.image(docker_archive([program_layer()]))
        done = self.run_json("--isolation", "process", "--environment", name, "--", "ls")
        self.assertEqual(done["status"], "unavailable", done.tell())
        self.assertIn("root of an image", done["error"]["message"])


class PythonRoot(EnvironmentCase):
    @unittest.skipUnless(python_root.is_here(), "Debian's Python 3.11 is not here to be copied")
    def test_a_folder_with_an_interpreter(self):
        """The host's own Debian Python, copied as a root of its own, in every tier that shows roots here."""
        name = f"rootfs:{python_root.make(self.place / 'root')}"
        program = "import sys, os; result = [sys.version_info[1], os.path.exists('/usr/bin/env'), 2 + INPUT_DATA]"
        tiers = [[]]
        if os.getuid() == 0:
            tiers += [["--runtime", tool] for tool in ("crun", "runc") if shutil.which(tool)]
            tiers += [["--isolation", "gvisor"]] if shutil.which("runsc") else []
        for tier in tiers:
            with self.subTest(tier=tier):
                done = self.ok(*tier, "--environment", name, "--input", "40", "-c", program)
                self.assertEqual(done["result"], [11, False, 42])


# A program, the file that it prints, and the shell of both: three paths, each of which the next one needs.
CLOSURE = """
let
  tools = ./tools;
  sh = "${tools}/bin/busybox";
  words = derivation { name = "casemate-words"; system = builtins.currentSystem; builder = sh;
    args = [ "sh" "-c" "${sh} mkdir -p $out; echo hello from nix > $out/words" ]; };
in derivation { name = "casemate-app"; system = builtins.currentSystem; builder = sh;
  args = [ "sh" "-c" ("${sh} mkdir -p $out/bin; printf '#!${sh} sh\\n${sh} cat ${words}/words\\n' > $out/bin/app;"
                      + "${sh} chmod +x $out/bin/app; ${sh} ln -s ${sh} $out/bin/ls") ]; }
"""


@unittest.skipUnless(shutil.which("nix-build") and os.path.exists(PROGRAM) and os.geteuid() == 0,
                     "needs nix, busybox and root")
class Nix(EnvironmentCase):
    """The closure of a path that nix itself has built, and nothing else of its store."""

    def setUp(self):
        super().setUp()
        (self.place / "tools/bin").mkdir(parents=True)
        shutil.copy(PROGRAM, self.place / "tools/bin/busybox")
        (self.place / "app.nix").write_text(CLOSURE)
        (self.place / "nix.conf").write_text("build-users-group =\nsandbox = false\nsubstitute = false\n")
        self.nix = dict(self.env, NIX_CONF_DIR=str(self.place))

    def ask_nix(self, *words):
        done = subprocess.run(words, env=self.nix, cwd=self.place, capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split()

    def test_only_the_closure_is_seen(self):
        app = self.ask_nix("nix-build", "--no-out-link", "app.nix")[-1]
        other = self.ask_nix("nix-store", "--add", str(self.place / "nix.conf"))[-1]
        closure = self.ask_nix("nix-store", "--query", "--requisites", app)
        self.addCleanup(subprocess.run, ["nix-store", "--delete", "--ignore-liveness", *closure, other], env=self.nix,
                        capture_output=True, check=False)
        self.assertEqual(len(closure), 3)
        env = self.nix
        self.assertEqual(self.command("build", f"nix:{app}", env=env).returncode, 0)
        done = self.ok("--environment", f"nix:{app}", "--", "app", env=env)
        self.assertEqual(done["stdout"], "hello from nix\n")
        done = self.ok("--environment", f"nix:{app}", "--", "ls", "/nix/store", "/", env=env)
        seen = done["stdout"].split()
        self.assertEqual({f"/nix/store/{name}" for name in seen if "-" in name}, set(closure))
        self.assertNotIn("usr", seen)
        done = self.run_json("--environment", f"nix:{app}", "-c", "pass", env=env)
        self.assertEqual(done["status"], "unavailable", done.tell())
        for path, said in (("/nix/store/0000-none", "not there"), (str(self.place), "no path of /nix/store")):
            self.assertIn(said, self.refused(f"nix:{path}", env=env))


class NotHere(EnvironmentCase):
    def test_nix_and_docker_say_so(self):
        if shutil.which("nix-store") is None:
            self.assertIn("nix is not installed", self.refused("nix:/var/tmp"))
        env = dict(self.env, DOCKER_HOST=f"unix://{self.place}/none.sock")
        self.assertIn("docker", self.refused("docker:nothing", env=env).lower())

    def test_a_registry_that_is_not_there(self):
        self.assertIn("skopeo", self.refused(f"registry:127.0.0.1:1/nothing@sha256:{'0' * 64}"))
        zeros = "0" * 64
        for name in ("nothing", "nothing:latest", "nothing@sha256:1234", f"-x@sha256:{zeros}", f"a b@sha256:{zeros}"):
            done = self.run_json("--environment", f"registry:{name}", "-c", "pass")
            self.assertEqual(done["status"], "rejected", done.tell())
            self.assertIn("by its digest", done["error"]["message"])

    def test_names(self):
        for name, said in (("nothing", "there is no environment"), ("image:/nowhere.tar", "not there"),
                           ("sha256:xyz", "hash"), ("python=2.7", "no version"), ("requirements:", "colon"),
                           ("sha256:" + "0" * 20, "environment")):
            done = self.run_json("--environment", name, "-c", "pass")
            self.assertIn(done["status"], ("rejected", "unavailable"), done.tell())
            self.assertIn(said, done["error"]["message"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
