#!/usr/bin/env python3
"""CodeSandbox.execute(code, backend=...): the call of many in-process sandboxes, as a thin layer over Casemate.

    restricted   compiled with RestrictedPython, inside the strongest tier that this host has
    subprocess   the process tier
    docker       the docker tier

usage: code_sandbox.py BACKEND [FILE]    (or from Python: CodeSandbox().execute("print(1)", backend="restricted"))
"""

import json
import pathlib
import shutil
import subprocess
import sys

FLAGS = {
    "restricted": ["--checks", "restricted"],
    "subprocess": ["--isolation", "process"],
    "docker": ["--isolation", "docker"],
}


class CodeSandbox:
    def __init__(self, casemate=None, timeout="10s"):
        built = pathlib.Path(__file__).resolve().parent.parent / "build" / "casemate"
        self._casemate = casemate or shutil.which("casemate") or str(built)
        self._timeout = timeout

    def execute(self, code, backend="restricted", input_data=None):
        """{"stdout", "stderr", "success", "sanitized", "detections", "status", "result"}. A backend that this host
        does not have is no success, with the engine's own words in `stderr`."""
        if backend not in FLAGS:
            raise ValueError(f"there is no backend {backend!r}: choose one of {', '.join(FLAGS)}")
        command = [self._casemate, "run", "--json", "--timeout", self._timeout, *FLAGS[backend]]
        if input_data is not None:
            command += ["--input", json.dumps(input_data)]
        done = subprocess.run([*command, "-"], input=code.encode(), capture_output=True)
        if not done.stdout:
            raise RuntimeError(f"casemate gave no answer: {done.stderr.decode(errors='replace').strip()}")
        run = json.loads(done.stdout)
        error = run["error"] or {}
        redactions = run.get("redactions", [])
        own_words = "" if run["stderr"] or not error else error["message"] + "\n"
        return {
            "stdout": run["stdout"],
            "stderr": run["stderr"] or own_words,
            "success": run["status"] == "ok",
            "sanitized": bool(redactions),
            "detections": [*run.get("findings", []), *run["denials"], *redactions],
            "status": run["status"],
            "result": run["result"],
        }


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    code = pathlib.Path(sys.argv[2]).read_text(encoding="utf-8") if len(sys.argv) == 3 else sys.stdin.read()
    answer = CodeSandbox().execute(code, backend=sys.argv[1])
    print(json.dumps(answer, indent=2))
    sys.exit(0 if answer["success"] else 1)


if __name__ == "__main__":
    main()
