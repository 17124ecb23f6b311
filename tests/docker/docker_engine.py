"""A Docker Engine of the test's own: its own socket and folders, no bridge, no firewall rules; gone afterwards."""

import contextlib
import io
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tarfile
import time

FOLDERS = ("dev", "etc", "proc", "sys", "usr", "var", "opt/casemate")
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
IMAGE = "casemate-test"


class Unavailable(Exception):
    """Why no Docker Engine can be started here, as one clause."""


def image_archive():
    """A root file system with nothing in it but places to bind the host's own folders to."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name in FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        entry = tarfile.TarInfo("tmp")
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(entry)
        for name, target in LINKS.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
        secret = b"of the container's owner\n"
        entry = tarfile.TarInfo("var/secret")
        entry.size, entry.mode, entry.uid, entry.gid = len(secret), 0o600, 1234, 1234
        archive.addfile(entry, io.BytesIO(secret))
    return data.getvalue()


class Engine:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.host = f"unix://{self.folder}/docker.sock"
        self.client = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else shutil.which("docker")
        self.daemon = self.dockerd = self.log = self.certificates = self.tls_host = None

    def __enter__(self):
        dockerd = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/sbin")
        if os.getuid() != 0:
            raise Unavailable("only root can start a Docker Engine")
        if not dockerd or not self.client:
            raise Unavailable("docker.io is not installed")
        self.dockerd = dockerd
        self.make_certificates()
        self.start()
        made = self.docker("import", "-", IMAGE, given=image_archive())
        if made.returncode != 0:
            self.__exit__()
            raise Unavailable(f"docker import: {made.stderr.decode(errors='replace').strip()}")
        return self

    def make_certificates(self):
        """An authority, a server and a client, for one day."""
        self.certificates = self.folder / "certificates"
        self.certificates.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.tls_host = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        extensions = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n"
        (self.certificates / "extensions").write_text(extensions)
        own = ["-days", "1", "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=authority"]
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", *own)
        for name, key in (("server", "server-key.pem"), ("cert", "key.pem")):
            asked = ["-keyout", key, "-out", f"{name}.csr", "-subj", f"/CN={name}"]
            self.openssl("req", "-newkey", "rsa:2048", "-nodes", *asked)
            signed = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-extfile", "extensions"]
            self.openssl("x509", "-req", "-days", "1", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.certificates, capture_output=True, check=True)

    def start(self):
        """Also again, after the daemon was killed."""
        (self.folder / "pid").unlink(missing_ok=True)
        if self.log is not None:
            self.log.close()
        self.log = open(self.folder / "log", "ab")
        arguments = ["--data-root", self.folder / "data", "--exec-root", self.folder / "exec"]
        arguments += ["--pidfile", self.folder / "pid", "-H", self.host, "--bridge=none", "--iptables=false"]
        keys = [("ca", "cacert"), ("server", "cert"), ("server-key", "key")]
        arguments += ["-H", self.tls_host, "--tlsverify"]
        arguments += [f"--tls{flag}={self.certificates}/{name}.pem" for name, flag in keys]
        self.daemon = subprocess.Popen([self.dockerd, *map(str, arguments)], stdout=self.log, stderr=self.log)
        end = time.monotonic() + 60
        while self.docker("info").returncode != 0:
            if self.daemon.poll() is not None or time.monotonic() > end:
                self.__exit__()
                last = (self.folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
                raise Unavailable(f"dockerd does not start: {' '.join(last)}")
            time.sleep(0.2)

    def __exit__(self, *exception):
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.daemon.wait(30)
            self.daemon.kill()
            self.daemon.wait()
            self.daemon = None
        self.sweep()
        self.log.close()

    def sweep(self):
        """What a daemon that was killed has left of its own: containerd and its shims, which name this folder."""
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes()
                if b"containerd" in words.split(b"\0")[0] and str(self.folder).encode() in words:
                    os.kill(int(entry.name), signal.SIGKILL)
        shutil.rmtree(self.folder / "exec", ignore_errors=True)

    def docker(self, *arguments, given=b"", deadline=300):
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "DOCKER_HOST": self.host, "HOME": str(self.folder)}
        return subprocess.run(
            [self.client, *map(str, arguments)],
            input=given,
            capture_output=True,
            env=env,
            timeout=deadline,
            check=False,
        )


class Registry:
    """A registry of images on loopback, which an engine and skopeo reach without TLS."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.server = self.address = None

    def __enter__(self):
        self.folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        settings = self.folder / "config.yml"
        settings.write_text(f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{self.address}'}}\n"
                            f"storage: {{filesystem: {{rootdirectory: '{self.folder}/data'}}}}\n")
        with open(self.folder / "log", "wb") as log:
            self.server = subprocess.Popen(["docker-registry", "serve", settings], stdout=log, stderr=log)
        end = time.monotonic() + 20
        while self.server.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError):
                host, _, port = self.address.partition(":")
                socket.create_connection((host, int(port)), timeout=1).close()
                return self
            time.sleep(0.1)
        self.__exit__()
        raise RuntimeError((self.folder / "log").read_text(errors="replace"))

    def __exit__(self, *exception):
        self.server.kill()
        self.server.wait()
