#!/usr/bin/env python3
"""Runs one system test against an instrumented build: it fails too when any process left a sanitizer's report, also one
whose end no test looks at. usage: sanitized.py FOLDER COMMAND...    (FOLDER is for the reports, and is emptied first)
"""

import os
import pathlib
import shutil
import subprocess
import sys

SANITIZERS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS")


def main():
    folder, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Processes report that have given up their ids.
    folder.chmod(0o1777)
    for name in SANITIZERS:
        options = [os.environ[name]] if os.environ.get(name) else []
        os.environ[name] = ":".join([*options, f"log_path={folder}/report"])
    code = subprocess.run(command).returncode
    reports = sorted(folder.iterdir())
    for report in reports:
        print(f"{report.name}:\n{report.read_text(errors='replace')[:20000]}", file=sys.stderr)
    return code or bool(reports)


if __name__ == "__main__":
    sys.exit(main())
