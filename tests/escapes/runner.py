#!/usr/bin/env python3
"""Runs the programs of hostile/ and harmless/ in Casemate and checks what each header says must happen.

The headers are explained in program.py, the checks are in verdict.py, what the host offers and must keep in host.py.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import casemate  # noqa: E402
from engine import Engine  # noqa: E402
from host import HOST_CHECKS, Host  # noqa: E402
from program import HERE, TIERS, Failure, check, discover, unescape  # noqa: E402
from verdict import check_run, compare_different  # noqa: E402

# CTest's SKIP_RETURN_CODE: the tier that was asked for is not to be had on this host.
NOT_HERE = 77


def not_enforced(done):
    """The guarantees of which a run's own answer says that they are not held on this host."""
    report = done.json.get("isolation") if isinstance(done.json, dict) else None
    return {gap["guarantee"] for gap in (report or {}).get("not_enforced", [])}


class Suite:
    def __init__(self, options, folder):
        self.options = options
        self.state_dir, self.temporary_dir = os.path.join(folder, "state"), os.path.join(folder, "tmp")
        self.build_dir = os.path.join(folder, "build")
        for path in (self.state_dir, self.temporary_dir, self.build_dir):
            os.makedirs(path)
        self.interpreters = {}
        self.engine = None

    def interpreter_with(self, module):
        """The first of the host's interpreters that has `module`; None when none has."""
        if module not in self.interpreters:
            default = os.environ.get("CASEMATE_PYTHON") or shutil.which("python3")
            # Root's own folders are closed to the user id that this tier gives a program.
            if self.options.tier == "process" and os.getuid() == 0 and os.path.exists("/usr/bin/python3"):
                default = "/usr/bin/python3"
            self.interpreters[module] = next(
                (
                    path
                    for path in (default, "/usr/bin/python3")
                    if path and casemate.host_command([path, "-c", f"import {module}"]) == 0
                ),
                None,
            )
        return self.interpreters[module]

    def unmet(self, program):
        """Why `program` cannot run here, or None; and the interpreter that it needs, or None."""
        interpreter = None
        for need in program.get("needs", "").split():
            if need == "root":
                met = os.getuid() == 0
            elif need in ("gcc", "host_gcc"):
                met = os.path.exists("/usr/bin/gcc")
            else:
                interpreter = self.interpreter_with(need)
                met = interpreter is not None
            if not met:
                return need, None
        if self.options.tier == "process":
            interpreter = interpreter or self.interpreter_with("sys")
        return None, interpreter

    def start_engine(self):
        """A resident engine of the interpreter that most programs need; the others say so and are skipped."""
        python = self.interpreter_with("pandas") or self.interpreter_with("") or "python3"
        env = casemate.environment(CASEMATE_STATE_DIR=self.state_dir, TMPDIR=self.temporary_dir)
        socket = os.path.join(self.temporary_dir, "engine.sock")
        self.engine = Engine(socket, env, "--python", python, "--pool-size", "4")
        check("serving" in self.engine.first_line, f"no engine: {self.engine.first_line!r}")
        late = casemate.settle(lambda: not any(pool["cells_ready"] for pool in self.engine.health()["pools"]), 60)
        check(not late, f"no warm cells: {self.engine.health()}")

    def stop_engine(self):
        """What its pools say of the runs: most have to have been warm, or the suite has tested something else."""
        if self.engine is None:
            return
        pools = self.engine.health()["pools"]
        self.engine.end()
        for pool in pools:
            print(f"warm {pool['taken']}, of these forked on demand {pool['forked_on_demand']}; cold {pool['cold']}")
        warm, cold = (sum(counts) for counts in zip(*((pool["taken"], sum(pool["cold"].values())) for pool in pools)))
        check(warm > cold, "most runs were cold")

    def arguments(self, program, host):
        flags = " ".join(program.get("flags", []))
        flags = flags.replace("{workspace}", str(host.workspace)).replace("{data}", str(HERE / "data"))
        words = shlex.split(flags)
        if self.engine is not None:
            words += ["--engine", self.engine.path]
        if self.options.tier:
            words += ["--isolation", self.options.tier]
        for name, value in host.variables.items():
            words += ["-e", f"{name}={value}"]
        if program.path.suffix == ".sh":
            return [*words, "--", "bash", "-c", program.source()]
        if program.path.suffix == ".c":
            built = os.path.join(self.build_dir, program.path.stem)
            if not os.path.exists(built):
                os.makedirs(self.build_dir, exist_ok=True)
                check(
                    casemate.host_command(["gcc", "-O1", "-w", "-o", built, str(program.path)]) == 0, "does not compile"
                )
            inside = self.build_dir if self.options.tier == "process" else "/probe"
            return [*words, "-v", f"{self.build_dir}:{inside}:ro", "--", f"{inside}/{program.path.stem}"]
        path = host.folder / program.get("filename", program.path.name)
        path.write_text(program.source(), encoding="utf-8")
        return [*words, str(path), *shlex.split(program.get("args", ""))]

    def once(self, program, host, interpreter):
        env = casemate.environment(
            CASEMATE_STATE_DIR=self.state_dir, TMPDIR=self.temporary_dir, CASEMATE_TEST_CANARY=host.canary
        )
        if interpreter:
            env["CASEMATE_PYTHON"] = interpreter
        stdin = unescape(program.get("stdin", "")).encode()
        return casemate.run_json(*self.arguments(program, host), stdin=stdin, env=env)

    def run(self, program):
        need, interpreter = self.unmet(program)
        if need:
            return "skip", f"needs {need}", []
        done_runs = []
        try:
            with Host(program, self) as host:
                runs, _, at_once = program.get("runs", "1").partition(" ")
                with concurrent.futures.ThreadPoolExecutor(int(runs) if at_once else 1) as pool:
                    waiting = [pool.submit(self.once, program, host, interpreter) for _ in range(int(runs))]
                    done_runs = [future.result() for future in waiting]
                for done in done_runs:
                    check_run(program, host, done)
                if program.get("compare") == "different":
                    compare_different([done["result"]["value"] for done in done_runs])
                left = casemate.settle(lambda: casemate.marked(host.marker) or casemate.orphans())
                check(not left, f"still running: {left}")
                for name in program.get("host_check", []):
                    for done in done_runs:
                        HOST_CHECKS[name](host, done)
        except Failure as failure:
            if done_runs and all(program.get("rests_on") in not_enforced(done) for done in done_runs):
                return "weak", f"the run said so: {program.get('rests_on')} is not enforced here", done_runs
            return "FAIL", str(failure) + "".join(f"\n      {done.tell()}" for done in done_runs), done_runs
        except Exception:
            return "FAIL", traceback.format_exc() + "".join(f"\n      {done.tell()}" for done in done_runs), done_runs
        return "ok", "", done_runs


def check_data():
    """Without a binary: every header is well-formed, every program compiles, every check and setup exists."""
    for tier in TIERS:
        discover("", tier)
    programs = discover("")
    for program in programs:
        if program.path.suffix == ".py" and program.get("syntax") != "broken":
            compile(program.source(), program.name, "exec")
        if program.path.suffix == ".sh":
            subprocess.run(["bash", "-n", str(program.path)], check=True)
        for name in program.get("host_check", []):
            check(name in HOST_CHECKS, f"{program.name}: no host check {name}")
        for name in program.get("host", []):
            check(hasattr(Host, "set_up_" + name), f"{program.name}: no host setup {name}")
        for name in ("expect_result",):
            json.loads(program.get(name, "null"))
        if program.contained and program.get("compare") is None and program.path.suffix == ".py":
            check(
                "attempts.evidence" in program.text or re.search(r"attempts\.(refused|failed|holds)", program.text),
                f"{program.name}: no evidence",
            )
    hostile = sum(program.hostile for program in programs)
    check(hostile >= 60 and len(programs) - hostile >= 30, f"too few programs: {hostile}, {len(programs) - hostile}")
    print(f"{hostile} hostile and {len(programs) - hostile} harmless programs are well-formed.")
    return 0


def print_summary(results):
    table = {}
    for program, verdict, _, _ in results:
        row = table.setdefault("/".join(program.name.split("/")[:-1]), {"ok": 0, "FAIL": 0, "weak": 0, "skip": 0})
        row[verdict] += 1
    print(f"\n{'':24}{'ok':>6}{'failed':>8}{'weak':>6}{'skipped':>9}")
    for name, row in table.items():
        print(f"{name:24}{row['ok']:6}{row['FAIL']:8}{row['weak']:6}{row['skip']:9}")
    total = {key: sum(row[key] for row in table.values()) for key in ("ok", "FAIL", "weak", "skip")}
    print(f"{'all':24}{total['ok']:6}{total['FAIL']:8}{total['weak']:6}{total['skip']:9}")
    return total["FAIL"]


def write_report(path, results, left):
    rows = [
        {
            "program": program.name,
            "what": " ".join(program.get("what")),
            "verdict": verdict,
            "reason": reason,
            "seconds": [round(done.seconds, 3) for done in runs],
            "supervisor_rss_bytes": [done.rss_bytes for done in runs],
            "answers": [
                {key: done.json.get(key) for key in ("status", "exit_code", "signal", "result", "denials", "usage")}
                for done in runs
                if isinstance(done.json, dict)
            ],
        }
        for program, verdict, reason, runs in results
    ]
    for row in rows:
        for answer in row["answers"]:
            if len(json.dumps(answer["result"])) > 20000:
                answer["result"] = "too long for the report"
    pathlib.Path(path).write_text(
        json.dumps({"programs": rows, "left_on_the_host": left}, indent=1, ensure_ascii=False)
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filter", action="append", help="only programs whose path contains this, or another such")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--tier", default="", help="passed on as --isolation")
    parser.add_argument("--warm", action="store_true", help="in the warm cells of a resident engine")
    parser.add_argument("--report", help="write a JSON report to this file")
    parser.add_argument("--check-data", action="store_true", help="check the programs themselves; runs nothing")
    parser.add_argument("--verbose", action="store_true", help="print each program's evidence")
    options = parser.parse_args()
    if options.check_data:
        return check_data()
    casemate.require_binary()
    casemate.adopt_orphans()
    casemate.die_with_tests()
    wanted = options.filter or [""]
    programs = [program for program in discover("", options.tier) if any(word in program.name for word in wanted)]
    results = []
    with casemate.scratch("escapes") as folder:
        suite = Suite(options, folder)
        tier = ["--isolation", options.tier] if options.tier else []
        first = casemate.run_json(*tier, "--", "true", env=casemate.environment(CASEMATE_STATE_DIR=suite.state_dir))
        if options.tier and isinstance(first.json, dict) and first["status"] == "unavailable":
            print(f"This host has no such tier: {first['error']['message']}")
            return NOT_HERE
        if first.code != 0:
            print(f"No program runs here at all, so nothing was tested: {first.tell()}")
            return 1
        before = casemate.Traces(suite.state_dir, suite.temporary_dir)
        if options.warm:
            suite.start_engine()
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for program, (verdict, reason, runs) in zip(programs, pool.map(suite.run, programs)):
                seconds = max((done.seconds for done in runs), default=0)
                print(f"{verdict:4} {program.name:52} {seconds:6.2f} s  {reason}", flush=True)
                if options.verbose and runs and isinstance(runs[0].json, dict):
                    print("     ", json.dumps(runs[0]["result"])[:3000])
                results.append((program, verdict, reason, runs))
        suite.stop_engine()
        left = before.left_since()
    failed = print_summary(results)
    for sentence in left:
        print("left on the host:", sentence)
    if options.report:
        write_report(options.report, results, left)
    return 1 if failed or left or not results else 0


if __name__ == "__main__":
    sys.exit(main())
