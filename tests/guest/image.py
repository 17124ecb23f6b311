"""Builds what the guest boots from: a kernel, an initramfs and a root disk, all cached.

Nothing is installed on the host: the kernel and busybox are Debian packages that are downloaded and
unpacked. Every artefact's name holds the digest of what determines it, so a stale one is never used.
"""

import hashlib
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOTFS_BUILDER = HERE.parent / "images" / "build_rootfs"
KERNEL_META_PACKAGE = "linux-image-cloud-amd64"
# Loaded before the root disk is mounted; what they depend on is read from the modules themselves.
MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "virtio_rng", "overlay", "fuse")
DISK_BYTES = 1 << 30


class ImageError(Exception):
    """One sentence for the person who started the guest, with the remedy."""


def _run(argv, **kwargs):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **kwargs)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no message"]
        raise ImageError(f"{argv[0]} failed ({last[0]}); the command was: {' '.join(map(str, argv))}")
    return done.stdout


def _need(tool, package):
    if not shutil.which(tool) and not shutil.which(tool, path="/usr/sbin:/sbin"):
        raise ImageError(f"{tool} is missing; install it with: apt-get install {package}")


def _kernel_package():
    for line in _run(["apt-cache", "depends", KERNEL_META_PACKAGE]).splitlines():
        relation, _, name = line.strip().partition(": ")
        if relation == "Depends" and name.startswith("linux-image-"):
            return name
    raise ImageError(f"apt knows no {KERNEL_META_PACKAGE}; run: apt-get update")


def _unpack_package(name, cache):
    """Downloads a Debian package and returns the folder that it is unpacked in."""
    target = cache / "packages" / name
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        # The sandbox user of apt cannot write here; its warning about that is harmless.
        _run(["apt-get", "download", name], cwd=work)
        package = next(pathlib.Path(work).glob("*.deb"))
        _run(["dpkg-deb", "-x", str(package), f"{work}/root"])
        os.rename(f"{work}/root", target)
    return target


def kernel(cache):
    """Returns the kernel's file and the folder of its modules."""
    root = _unpack_package(_kernel_package(), cache)
    return next(root.glob("boot/vmlinuz-*")), next(root.glob("lib/modules/*"))


def _module_order(modules_root):
    """Module files in an order that insmod accepts: each after those that it depends on."""
    files = {path.name[:-3].replace("-", "_"): path for path in modules_root.rglob("*.ko")}
    order = []

    def visit(name):
        path = files.get(name)
        if path is None or path in order:  # Absent: built into the kernel.
            return
        for field in path.read_bytes().split(b"\0"):
            if field.startswith(b"depends="):
                for dependency in filter(None, field[8:].decode().split(",")):
                    visit(dependency.replace("-", "_"))
        order.append(path)

    for module in MODULES:
        visit(module)
    return order


def _cpio_entry(inode, name, mode, content):
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)


def _initramfs_bytes(busybox, modules):
    entries = [(name, stat.S_IFDIR | 0o755, b"") for name in ("bin", "dev", "mods", "proc", "root")]
    entries.append(("bin/busybox", stat.S_IFREG | 0o755, busybox.read_bytes()))
    entries.append(("init", stat.S_IFREG | 0o755, (HERE / "initramfs_init").read_bytes()))
    for index, path in enumerate(modules):
        entries.append((f"mods/{index:02}-{path.name}", stat.S_IFREG | 0o644, path.read_bytes()))
    entries.append(("TRAILER!!!", 0, b""))
    return b"".join(_cpio_entry(inode, *entry) for inode, entry in enumerate(entries, 1))


def initramfs(cache, modules_root):
    """Returns an uncompressed initramfs: under emulation, decompressing costs more than reading."""
    busybox = _unpack_package("busybox-static", cache) / "bin" / "busybox"
    content = _initramfs_bytes(busybox, _module_order(modules_root))
    target = cache / f"initramfs-{hashlib.sha256(content).hexdigest()[:12]}.cpio"
    if not target.is_file():
        part = target.with_suffix(f".part{os.getpid()}")
        part.write_bytes(content)
        os.rename(part, target)
    return target


def root_disk(cache):
    """Returns an ext4 image of the guest's root file system. The guest must not write to it."""
    archive = pathlib.Path(_run([str(ROOTFS_BUILDER), "guest", str(cache)]).strip())
    target = archive.with_suffix(".ext4")
    if target.is_file():
        return target
    part = target.with_suffix(f".part{os.getpid()}")
    # Device nodes are left out: an ordinary user cannot make them, and the guest mounts a devtmpfs there.
    script = (
        'set -e; d=$(mktemp -d "$1.XXXXXX"); trap \'rm -rf "$d"\' EXIT; '
        'tar -xpf "$0" -C "$d" --numeric-owner --exclude="./dev/*"; '
        'PATH=$PATH:/usr/sbin mke2fs -q -t ext4 -O ^has_journal -m 0 -E root_owner=0:0 -d "$d" "$1" "$2"'
    )
    argv = ["sh", "-c", script, str(archive), str(part), f"{DISK_BYTES // 1024}k"]
    if os.geteuid() != 0:
        # Only in a user namespace with a range of ids can an ordinary user unpack files of several owners.
        argv = ["unshare", "--map-root-user", "--map-auto", *argv]
    try:
        _run(argv)
        os.rename(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def prepare(cache):
    """Returns (kernel, initramfs, root disk), building what the cache does not hold."""
    for tool, package in (
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("mmdebstrap", "mmdebstrap"),
        ("mke2fs", "e2fsprogs"),
    ):
        _need(tool, package)
    cache.mkdir(parents=True, exist_ok=True)
    vmlinuz, modules_root = kernel(cache)
    return vmlinuz, initramfs(cache, modules_root), root_disk(cache)
