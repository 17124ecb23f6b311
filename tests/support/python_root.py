"""A file system's root with Debian's own Python in it and nothing else, as an image would bring it."""

import os
import pathlib
import shutil
import subprocess

PYTHON = "python3.11"


def is_here():
    return os.path.exists(f"/usr/bin/{PYTHON}") and os.path.isdir(f"/usr/lib/{PYTHON}")


def make(root):
    root = pathlib.Path(root)
    for folder in ("usr/bin", "usr/lib", "lib64", "etc"):
        (root / folder).mkdir(parents=True)
    shutil.copy(f"/usr/bin/{PYTHON}", root / "usr/bin" / PYTHON)
    os.symlink(PYTHON, root / "usr/bin/python3")
    ignore = shutil.ignore_patterns("test", "__pycache__", "idlelib", "config-*", "ensurepip")
    shutil.copytree(f"/usr/lib/{PYTHON}", root / "usr/lib" / PYTHON, ignore=ignore)
    os.symlink("usr/lib", root / "lib")
    for line in subprocess.run(["ldd", f"/usr/bin/{PYTHON}"], check=True, capture_output=True,
                               text=True).stdout.splitlines():
        path = next((word for word in line.split() if word.startswith("/")), None)
        if path:
            folder = "lib64" if "ld-linux" in path else "usr/lib"
            shutil.copy(os.path.realpath(path), root / folder / os.path.basename(path))
    return root
