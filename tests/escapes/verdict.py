"""What must hold for the answer of one run: for every run, and what the program's header says."""

import base64
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import casemate  # noqa: E402
from program import OWN_KERNEL, check, size, unescape  # noqa: E402


def compare_different(values):
    for name in values[0]:
        seen = [value[name] for value in values]
        check(len(set(map(str, seen))) == len(seen), f"{name} is the same in two runs: {seen[0]}")


def check_run(program, host, done):
    """All that holds for one run: first what holds for every run, then what the header says."""
    check(not done.hung, "casemate did not end by itself")
    check(done.code >= 0, f"casemate was killed by signal {-done.code}")
    for word in (b"Sanitizer", b"terminate called", b"Assertion", b"runtime error"):
        check(word not in done.stderr, f"casemate broke: {done.stderr[-2000:]!r}")
    check(done.problem is None, done.problem)
    check(not host.reached, f"a socket connected host and sandbox: {host.reached}")
    check_secrets(host, done)
    if "refused" in program.statuses and done.json is None:
        check(done.code in (125, 126) and done.stderr.strip(), f"exit code {done.code} for a refusal, or no sentence")
        return
    check(isinstance(done.json, dict), "no result object on stdout")
    check(set(done.json) >= casemate.FIELDS, f"fields missing: {casemate.FIELDS - set(done.json)}")
    check_status(program, done)
    check_bounds(program, done)
    check_answer(program, done)


def check_secrets(host, done):
    content = [done.stdout, done.stderr]
    for file in (done.json or {}).get("files", []):
        content.append(base64.b64decode(file.get("content_base64") or ""))
    check(not any(host.canary.encode() in text for text in content), "the host's canary is in the answer")


def check_status(program, done):
    status = done["status"]
    for text in (done["stdout"], done["stderr"]):
        check("ESCAPED" not in text, text[-300:])
    if program.contained and status == "ok":
        verdict = done["result"]
        check(isinstance(verdict, dict) and verdict.get("evidence"), "the program brought no evidence")
        check(
            verdict.get("escaped") is False,
            f"escaped by {verdict.get('holes')}: "
            f"{({hole: verdict['evidence'].get(hole) for hole in verdict.get('holes', [])})}",
        )
    else:
        wanted = program.statuses | ({"contained"} if program.contained else set())
        check(status in program.statuses, f"status {status} instead of {'|'.join(sorted(wanted))}")
    if status in casemate.EXIT_CODES:
        check(done.code == casemate.EXIT_CODES[status], f"exit code {done.code} for {status}")
    if status == "error":
        expected = done["exit_code"] if done["exit_code"] is not None else 128 + (done["signal"] or 0)
        check(done.code == expected, f"exit code {done.code} instead of the program's own {expected}")
    for wanted in program.get("denial", []):
        kind, _, words = wanted.partition(" ")
        check(
            any(
                denial["kind"] == kind
                and any(word in denial["what"] for word in words.split("|"))
                and denial["count"] >= 1
                and denial["remedy"]
                for denial in done["denials"]
            ),
            f"no denial `{wanted}` with a remedy among {done['denials'][:8]}",
        )


def check_bounds(program, done):
    limit = program.get("wall_ms_max")
    start = 3000 if program.tier in OWN_KERNEL else 0  # of their kernels
    check(not limit or done.seconds * 1000 <= int(limit) * casemate.SLOW + start, f"took {done.seconds:.2f} s")
    weak = {entry["guarantee"] for entry in done["isolation"]["not_enforced"]}
    limit = program.get("memory_peak_max")
    if limit and "memory" not in weak:
        peak = done["usage"]["memory_peak_bytes"]
        # With its own kernel, which has so much beside the program.
        beside = 64 << 20 if program.tier in OWN_KERNEL else 0
        check(peak <= size(limit) + beside, f"used {peak >> 20} MiB at its peak")
    limit = program.get("supervisor_rss_max")
    if limit and not casemate.SANITIZED:
        check(done.rss_bytes <= size(limit), f"the supervisor used {done.rss_bytes >> 10} KiB")


def check_answer(program, done):
    get = program.get
    if get("exit_code"):
        codes = [int(code) for code in get("exit_code").split("|")]
        check(done["exit_code"] in codes or done.code in codes, f"exit code {done['exit_code']} ({done.code})")
    if get("signal"):
        check(done["signal"] == int(get("signal")), f"signal {done['signal']}")
    if get("error_type"):
        check((done["error"] or {}).get("type") == get("error_type"), f"error {done['error']}")
    if get("expect_result") and done["status"] == "ok":
        check(done["result"] == json.loads(get("expect_result")), f"result {json.dumps(done['result'])[:500]}")
    if get("result_length"):
        check(len(json.dumps(done["result"])) == int(get("result_length")), f"{len(json.dumps(done['result']))} bytes")
    if get("result_text"):
        check(get("result_text").encode() in done.stdout, "the number did not come back to the letter")
    if get("stdout") is not None:
        check(done["stdout"] == unescape(get("stdout")), f"stdout {done['stdout'][:300]!r}")
    if get("stdout_prefix"):
        check(done["stdout"].startswith(get("stdout_prefix")), f"stdout {done['stdout'][:100]!r}")
        check(
            len(done["stdout"]) >= 1 << 19 and done["truncated"]["stdout"],
            "the first part was not kept, or not said to be cut",
        )
    if get("stdout_length"):
        check(len(done["stdout"]) == int(get("stdout_length")), f"{len(done['stdout'])} characters")
    for field in ("stdout", "stderr"):
        for text in get(f"{field}_contains", []):
            check(unescape(text) in done[field], f"no {text!r} in {field}: {done[field][-600:]!r}")
    if get("files"):
        names = {file["name"] for file in done["files"]}
        check(names >= set(get("files").split(", ")), f"files {sorted(names)}")
    if get("displays"):
        kinds = [set(display["data"] if "data" in display else display) for display in done["displays"]]
        check(any(get("displays") in kind for kind in kinds), f"displays {kinds}")
    for text in get("forbid", []):
        check(text.encode() not in done.stdout, f"{text!r} is in the answer")
