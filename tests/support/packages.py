"""Virtual environments beside the build, with packages that tests need and Casemate does not."""

import pathlib
import shutil
import subprocess
import sys

import casemate


def python_with(requirements, name):
    """An interpreter with the packages of the file `requirements`, in the folder `name` beside the build."""
    folder = pathlib.Path(casemate.BINARY).resolve().parent / name
    python, stamp = folder / "bin" / "python3", folder / "requirements.txt"
    wanted = pathlib.Path(requirements).read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)],
            check=True,
        )
        stamp.write_text(wanted)
    return str(python)
