"""Wheels that a test makes, and a package index that serves them (PEP 503, PEP 691) on the loopback."""

import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile


def wheel(name, version="1.0", files=None, requires=(), entry_points=""):
    """The bytes of a wheel of one module NAME, and its file name."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {f"{module}/__init__.py": f"VERSION = {version!r}\n"} if files is None else files
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in requires)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path if isinstance(path, zipfile.ZipInfo) else zipfile.ZipInfo(path), text)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        if entry_points:
            archive.writestr(f"{info}/entry_points.txt", entry_points)
        archive.writestr(f"{info}/RECORD", "")
    return f"{module}-{version}-py3-none-any.whl", buffer.getvalue()


def source(name, version="1.0", backend=""):
    """The bytes of a source archive that builds itself, and its file name; `backend` runs when it does."""
    wheel_name, data = wheel(name, version)
    build = (f"import os\n{backend}\ndef get_requires_for_build_wheel(config_settings=None):\n    return []\n"
             "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
             f"    with open(os.path.join(folder, {wheel_name!r}), 'wb') as file:\n        file.write({data!r})\n"
             f"    return {wheel_name!r}\n")
    project = ('[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
               f'[project]\nname = "{name}"\nversion = "{version}"\n')
    files = {"pyproject.toml": project, "backend.py": build,
             "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return f"{name}-{version}.tar.gz", buffer.getvalue()


class Index:
    """Serves files by project. `lies` are the names of files whose listed hash is another one."""

    def __init__(self, projects, as_json=True):
        self.projects, self.as_json, self.lies, self.requests = projects, as_json, set(), []
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                index.requests.append(self.path)
                index.answer(self)

            def do_HEAD(self):
                index.answer(self)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple/"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, handler):
        parts = handler.path.strip("/").split("/")
        if parts[0] == "files" and parts[-1] in self.projects.get(parts[1], {}):
            return self.send(handler, "application/octet-stream", self.projects[parts[1]][parts[-1]])
        if parts[0] == "simple" and len(parts) == 2 and parts[1] in self.projects:
            return self.list(handler, parts[1])
        handler.send_error(404)

    def list(self, handler, project):
        def digest(name, data):
            return "0" * 64 if name in self.lies else hashlib.sha256(data).hexdigest()

        files = [(name, f"/files/{project}/{name}", digest(name, data))
                 for name, data in self.projects[project].items()]
        if self.as_json:
            listing = {"meta": {"api-version": "1.0"}, "name": project,
                       "files": [{"filename": n, "url": u, "hashes": {"sha256": d}} for n, u, d in files]}
            return self.send(handler, "application/vnd.pypi.simple.v1+json", json.dumps(listing).encode())
        links = "".join(f'<a href="{u}#sha256={d}">{n}</a>' for n, u, d in files)
        return self.send(handler, "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode())

    @staticmethod
    def send(handler, kind, body):
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(body)
