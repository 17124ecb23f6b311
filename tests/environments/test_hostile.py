#!/usr/bin/env python3
"""Wheels and images that mean harm: each is refused with a sentence, writes nothing outside of its own folder, and
leaves nothing that looks finished. Beside each kind a harmless one that must work."""

import io
import json
import os
import pathlib
import stat
import sys
import tarfile
import unittest
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support_environments import EnvironmentCase  # noqa: E402
from images import docker_archive, entry, layer, oci_layout  # noqa: E402
from wheels import wheel  # noqa: E402


def zip_link(path, target):
    info = zipfile.ZipInfo(path)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target


class HostileWheels(EnvironmentCase):
    def refuse(self, name, data_of, said, *flags):
        with self.subTest(name):
            file, data = data_of
            self.serve((file, data))
            message = self.refused(f"packages:{name}", *flags)
            self.assertIn(said, message)
            self.assertFalse(list(self.folder.rglob("escaped*")), "a file was written outside")

    def test_wheels(self):
        self.refuse("slip", wheel("slip", files={"../escaped": "x"}), "leaves it")
        self.refuse("deepslip", wheel("deepslip", files={"a/../../../escaped": "x"}), "leaves it")
        self.refuse("absolute", wheel("absolute", files={f"{self.folder}/escaped": "x"}), "absolute path")
        self.refuse("dataslip", wheel("dataslip", files={"dataslip-1.0.data/data/../../../escaped": "x"}), "leaves it")
        link, target = zip_link("linked/out", str(self.folder))
        self.refuse("linked", wheel("linked", files={link: target, "linked/out/escaped": "x"}), "link or device")
        self.refuse("twice", twice("twice"), "twice")
        self.refuse("clash", wheel("clash", files={"clash": "file", "clash/escaped": "x"}), "clash")
        self.refuse("backslash", wheel("backslash", files={"..\\escaped": "x"}), "backslash")
        self.refuse("newline", wheel("newline", files={"a\nb": "x"}), "control character")
        self.refuse("large", wheel("large", files={"large/x.bin": bytes(8 << 20)}), "bomb", "--max-bytes", "1m")
        self.refuse("many", wheel("many", files={f"many/{i}.txt": "" for i in range(3000)}), "bomb",
                    "--max-files", "1000")
        file, data = wheel("short")
        self.refuse("short", (file, data[:len(data) // 2]), "short")
        self.refuse("nowheel", ("nowheel-1.0-py3-none-any.whl", b"this is no zip file"), "nowheel")

    def test_harmless_ones_beside_them(self):
        files = {"fine/__init__.py": "import fine.data.deep\n", "fine/data/deep.py": "X = 'a..b'\n",
                 "fine/..almost/file...txt": "x", "fine-1.0.data/scripts/fine-tool": "#!python\nprint('tool')\n",
                 "fine-1.0.data/data/share/fine/text": "shared",
                 "fine-1.0.data/data/bin/python": "#!/bin/sh\necho not mine\n"}
        self.serve(wheel("fine", files=files))
        self.assertEqual(self.ok("--environment", "packages:fine", "--", "fine-tool")["stdout"], "tool\n")
        done = self.ok("--environment", "packages:fine", "-c",
                       "import fine, sys; result = open(sys.prefix + '/share/fine/text').read()")
        self.assertEqual(done["result"], "shared")

    def test_no_code_of_a_package_runs_outside(self):
        marker = self.folder / "escaped-by-code"
        evil = f"open({str(marker)!r}, 'w').close()\n"
        self.serve(wheel("evil", files={"evil/__init__.py": evil, "evil.pth": f"import os; {evil}",
                                        "sitecustomize.py": evil, "usercustomize.py": evil, "encodings.py": evil,
                                        "compileall.py": evil, "sysconfig.py": evil, "pip/__init__.py": evil}))
        for _ in range(2):
            done = self.run_json("--environment", "packages:evil", "-c", "result = 1")
            self.assertIn(done["status"], ("ok", "error"), done.tell())
        self.assertEqual(self.command("verify", "packages:evil").returncode, 0)
        self.assertFalse(marker.exists(), "code of a package ran outside of a sandbox")


def twice(name):
    file, data = wheel(name)
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(zipfile.ZipInfo(f"{name}/__init__.py"), "OTHER = 1\n")
    return file, buffer.getvalue()


class HostileImages(EnvironmentCase):
    def refuse(self, name, data, said, *flags):
        with self.subTest(name):
            path = self.place / f"{name}.tar"
            path.write_bytes(data)
            self.assertIn(said, self.refused(f"image:{path}", *flags))
            self.assertFalse(list(self.folder.rglob("escaped*")), "a file was written outside")

    def test_layers(self):
        outside = str(self.folder)

        def layers(*entries):
            return docker_archive([layer(*entries)])

        self.refuse("dots", layers(entry("../../escaped", b"x")), "leaves it")
        self.refuse("absolute", layers(entry(f"{outside}/escaped", b"x")), "absolute path")
        self.refuse("hard", layers(entry("in", link="../../../../etc/passwd", kind=tarfile.LNKTYPE)), "leaves it")
        self.refuse("hardabs", layers(entry("in", link="/etc/passwd", kind=tarfile.LNKTYPE)), "absolute path")
        self.refuse("hardgone", layers(entry("in", link="not/there", kind=tarfile.LNKTYPE)), "no file of it")
        self.refuse("device", layers(entry("sda", kind=tarfile.BLKTYPE)), "device")
        self.refuse("pipe", layers(entry("p", kind=tarfile.FIFOTYPE)), "pipe")
        self.refuse("whiteout", layers(entry("a/.wh...", b"")), "leaves it")
        self.refuse("large", layers(entry("x", bytes(4 << 20))), "bomb", "--max-bytes", "1m")
        self.refuse("many", layers(*[entry(f"f{i}", b"") for i in range(2000)]), "bomb", "--max-files", "1000")
        self.refuse("deep", layers(entry("/".join("d" * 80) + "/f", b"x")), "too deep")
        self.refuse("short", layers(entry("x", b"x" * 9000))[:6000], "cut short")
        self.refuse("garbage", os.urandom(4096), "damaged")

    def test_links_lead_nowhere_but_into_the_image(self):
        """A link out of the image, and then a file through it: it is the image's own folder that is meant."""
        path = self.place / "links.tar"
        path.write_bytes(docker_archive([layer(
            entry("out", link=str(self.folder), kind=tarfile.SYMTYPE), entry("etc/hostname", b"x"),
            entry("up", link="../../../../../..", kind=tarfile.SYMTYPE), entry("up/escaped-up", b"x")),
            layer(entry("out/escaped", b"x"))]))
        done = self.command("build", f"image:{path}")
        inside = [p for p in self.folder.rglob("escaped*") if "store" not in str(p.relative_to(self.folder))]
        self.assertEqual(inside, [], done.stderr)

    def test_wrong_hashes_and_what_is_no_image(self):
        good = [layer(entry("a", b"x"))]
        self.refuse("diff", docker_archive(good, diff_ids=["sha256:" + "0" * 64]), "another hash")
        self.refuse("config", docker_archive(good, config_name="0" * 64 + ".json"), "another hash")
        self.refuse("blob", oci_layout(good, lie=True), "another hash")
        self.refuse("other", oci_layout(good, architecture="s390x"), "linux/")
        self.refuse("empty", tar({}), "missing")
        self.refuse("nojson", tar({"manifest.json": b"{{{"}), "makes no sense")
        self.refuse("escape", tar({"manifest.json": json.dumps(
            [{"Config": "../../../etc/passwd", "Layers": []}]).encode()}), "leaves it")
        self.refuse("outside", tar({"manifest.json": b"[]"}), "makes no sense")

    def test_a_host_is_no_root(self):
        self.assertIn("this host's own", self.refused("rootfs:/"))
        self.assertIn("this host's own", self.refused("rootfs:/etc"))


def tar(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


if __name__ == "__main__":
    unittest.main(verbosity=2)
