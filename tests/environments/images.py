"""Container images that a test makes: what `docker save` writes, and OCI layouts."""

import gzip
import hashlib
import io
import json
import platform
import tarfile

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def entry(name, data=b"", kind=tarfile.REGTYPE, link="", mode=0o644):
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode, member.size = kind, link, mode, len(data)
    return member, data


def layer(*entries):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, data in entries:
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def docker_archive(layers, env=(), diff_ids=None, config_name=None):
    """As Docker before 25 saves it."""
    config = json.dumps({"architecture": ARCHITECTURE, "os": "linux", "config": {"Env": list(env)}, "rootfs": {
        "type": "layers", "diff_ids": diff_ids or [f"sha256:{digest(one)}" for one in layers]}}).encode()
    name = config_name or f"{digest(config)}.json"
    names = [f"{i:064d}/layer.tar" for i in range(len(layers))]
    manifest = json.dumps([{"Config": name, "RepoTags": ["test:1"], "Layers": names}]).encode()
    return layer(entry("manifest.json", manifest), entry(name, config),
                 *[entry(path, data) for path, data in zip(names, layers)])


def oci_layout(layers, env=(), architecture=ARCHITECTURE, lie=False):
    """An OCI image layout with an index in its index, and compressed layers."""
    blobs = {}

    def blob(data, kind):
        blobs[digest(data)] = data
        return {"mediaType": kind, "digest": f"sha256:{digest(data)}", "size": len(data)}

    config = blob(json.dumps({"architecture": architecture, "os": "linux", "config": {"Env": list(env)}, "rootfs": {
        "type": "layers", "diff_ids": [f"sha256:{digest(one)}" for one in layers]}}).encode(), "config")
    packed = [blob(gzip.compress(one), "layer") for one in layers]
    manifest = blob(json.dumps({"schemaVersion": 2, "config": config, "layers": packed}).encode(), "manifest")
    manifest["platform"] = {"os": "linux", "architecture": architecture}
    index = blob(json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode(), "index")
    if lie:
        blobs[packed[0]["digest"][7:]] = gzip.compress(b"another")
    return layer(entry("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
                 entry("index.json", json.dumps({"schemaVersion": 2, "manifests": [index]}).encode()),
                 *[entry(f"blobs/sha256/{name}", data) for name, data in blobs.items()])
