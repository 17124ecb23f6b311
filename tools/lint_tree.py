#!/usr/bin/env python3
"""Checks of the tree that no other linter makes. usage: tools/lint_tree.py FILE..."""

import os
import pathlib
import re
import subprocess
import sys

LINES_MAX = 600
CODE = {".cc", ".h", ".py", ".cmake", ".sh", ".c", ".S", ""}
TEXT = CODE | {".md", ".txt", ".json", ".toml", ".yaml", ".yml", ".js", ".html", ".css"}
# A leftover is a thing to do or to file, not to land.
LEFTOVER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def faults(path: pathlib.Path, root: pathlib.Path) -> list[str]:
    """What is wrong with one file; each entry is `LINE: sentence`."""
    if path.suffix not in TEXT or path.name == "LICENSE":
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ["1: is not UTF-8; text files here are"]
    lines = text.split("\n")
    found = []
    if path.suffix in CODE and len(lines) - 1 >= LINES_MAX:
        found.append(f"{len(lines) - 1}: has {LINES_MAX} lines or more; split it by responsibility")
    if path.suffix == ".h" and "#pragma once" not in lines:
        found.append("1: a header starts with #pragma once")
    if text and not text.endswith("\n"):
        found.append(f"{len(lines)}: the last line has no end")
    is_script = text.startswith("#!")
    if is_script != os.access(path, os.X_OK):
        found.append("1: a file is executable when, and only when, it starts with #!")
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            found.append(f"{number}: space at the end of the line")
        if "\t" in line and path.suffix in {".cc", ".h", ".py"}:
            found.append(f"{number}: a tab; indent with spaces")
        if LEFTOVER.search(line):
            found.append(f"{number}: a leftover; do it or file it")
        if line.startswith(("<<<<<<< ", ">>>>>>> ")):
            found.append(f"{number}: a merge conflict")
        if path.suffix == ".md":
            found += [f"{number}: links to {target}, which is not there"
                      for target in broken(line, path, root)]
    return found


def broken(line: str, path: pathlib.Path, root: pathlib.Path) -> list[str]:
    """The relative links of a Markdown line that lead nowhere."""
    targets = [target for target in LINK.findall(line)
               if "://" not in target and not target.startswith("mailto:")]
    return [target for target in targets
            if not ((root / target[1:]) if target.startswith("/") else (path.parent / target)).exists()]


def self_check() -> list[str]:
    """A unit test runs beside this file; a lint that cannot fail is worth nothing."""
    test = pathlib.Path(__file__).with_name("lint_tree_test.py")
    done = subprocess.run([sys.executable, "-B", str(test), "-q"], capture_output=True, text=True)
    return [] if done.returncode == 0 else [done.stderr]


def main() -> int:
    root = pathlib.Path.cwd()
    reports = [f"{name}:{fault}" for name in sys.argv[1:] for fault in faults(pathlib.Path(name), root)]
    reports += self_check()
    print("\n".join(reports), end="\n" if reports else "")
    return 1 if reports else 0


if __name__ == "__main__":
    sys.exit(main())
