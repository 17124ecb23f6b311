#!/usr/bin/env python3
"""Runs clang-tidy on the given sources, two at a time, and remembers which ones were clean.

usage: tools/lint_tidy.py FILE...   (headers are checked through the sources that include them)

A source is clean until something that clang-tidy reads changes: the source, a header of ours that it includes
directly or not, its compile command, .clang-tidy, or clang-tidy itself. The keys of clean ones are empty
files in the user's cache folder, where another clone finds them too.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "casemate"
CLEAN = CACHE / "tidy"
# Debian's clang-tidy looks for matches in all system headers too, which takes three to seven times as long.
PINNED = ROOT / "tools" / "lint-requirements.txt"
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
# Checks that GoogleTest's macros and fixtures trip, or that cost minutes on them and say little about a test.
NOT_IN_TESTS = ("-clang-analyzer-*,-readability-function-size,-bugprone-suspicious-missing-comma,"
                "-cert-err58-cpp,-cert-msc*-cpp,-cppcoreguidelines-virtual-class-destructor")


def install() -> pathlib.Path:
    """The pinned clang-tidy, in a virtual environment of its own that all clones share."""
    name = "lint-" + hashlib.sha256(PINNED.read_bytes()).hexdigest()[:16]
    folder = CACHE / name
    if not folder.exists():
        unfinished = CACHE / f"{name}.{os.getpid()}"
        subprocess.run([sys.executable, "-m", "venv", str(unfinished)], check=True)
        subprocess.run([str(unfinished / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check",
                        "--require-hashes", "--no-deps", "-r", str(PINNED)], check=True)
        if folder.exists():
            shutil.rmtree(unfinished)
        else:
            unfinished.rename(folder)
    # The program itself: what lies in bin/ starts it with the path of the folder's first name.
    return next(folder.glob("lib/python3*/site-packages/clang_tidy/data/bin/clang-tidy"))


def compile_commands() -> dict[str, dict]:
    configure = subprocess.run(["cmake", "--preset", "lint", "--log-level=WARNING"], cwd=ROOT,
                               capture_output=True, text=True)
    if configure.returncode != 0:
        sys.exit(f"lint_tidy: cmake --preset lint failed:\n{configure.stderr}")
    database = json.loads((ROOT / "build-lint" / "compile_commands.json").read_text())
    return {os.path.relpath(os.path.realpath(entry["file"]), ROOT): entry for entry in database}


def includes(source: pathlib.Path, seen: dict[pathlib.Path, bytes]) -> dict[pathlib.Path, bytes]:
    """`source` and all headers of ours that it reaches, with their bytes."""
    if source not in seen:
        seen[source] = source.read_bytes()
        for name in INCLUDE.findall(seen[source].decode("utf-8", "replace")):
            for folder in (source.parent, ROOT / "src", ROOT / "include", ROOT):
                if (folder / name).is_file():
                    includes((folder / name).resolve(), seen)
                    break
    return seen


def key(source: str, entry: dict, version: str) -> str:
    digest = hashlib.sha256()
    command = entry["command"].replace(str(ROOT), ".")
    for part in (version, NOT_IN_TESTS, (ROOT / ".clang-tidy").read_text(), command):
        digest.update(part.encode() + b"\0")
    for path, text in sorted(includes((ROOT / source).resolve(), {}).items()):
        digest.update(os.fsencode(path.relative_to(ROOT)) + b"\0" + hashlib.sha256(text).digest())
    return digest.hexdigest()


def tidy(program: pathlib.Path, source: str) -> tuple[str, bool, str]:
    command = [str(program), "-p", "build-lint", "--quiet"]
    if source.endswith("_test.cc") or "/conformance/" in source:
        command.append(f"--checks={NOT_IN_TESTS}")
    done = subprocess.run([*command, source], cwd=ROOT, capture_output=True, text=True)
    # How many warnings it kept to itself is no news; why it could not start is.
    complaints = "".join(line for line in done.stderr.splitlines(True) if "generated." not in line)
    return source, done.returncode == 0, done.stdout + complaints


def main() -> int:
    commands = compile_commands()
    program = install()
    version = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout
    sources = [name for name in sys.argv[1:] if name.endswith(".cc")]
    unbuilt = [name for name in sources if name not in commands]
    for name in unbuilt:
        print(f"{name}: is in no CMake target, so nothing compiles or checks it")
    CLEAN.mkdir(parents=True, exist_ok=True)
    keys = {name: key(name, commands[name], version) for name in sources if name in commands}
    # The slowest first, so that the last ones to finish are quick.
    todo = sorted((name for name in keys if not (CLEAN / keys[name]).exists()),
                  key=lambda name: -os.path.getsize(ROOT / name))
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for name, clean, output in pool.map(lambda source: tidy(program, source), todo):
            if clean:
                (CLEAN / keys[name]).touch()
            else:
                bad += 1
                print(output.replace(f"{ROOT}/", ""), flush=True)
    print(f"lint_tidy: {len(keys)} sources, {len(keys) - len(todo)} known to be clean, {bad} with findings")
    return 1 if bad or unbuilt else 0


if __name__ == "__main__":
    sys.exit(main())
