"""A program of hostile/ or harmless/ and its header: the comment lines at its top, one `name: value` each.

  what            the attack, or what must work, in a sentence
  expect          contained | status=a|b (default: status=ok); contained means that the run is ok and the program's
                  result has "escaped": false and an "evidence" that is not empty
  flags, args     of `casemate run`; {workspace} {data} are replaced     stdin     given to the program
  uses: attempts  attempts.py is put in front                            needs     gcc host_gcc root numpy pandas ...
  host            what the runner sets up: tcp_listener abstract_listener unix_listener dialer workspace
                  workspace_with_links workspace_socket sysv_segment
  denial          KIND WHAT|WHAT: a denial of that kind whose `what` contains one of the words
  wall_ms_max, memory_peak_max, supervisor_rss_max          bounds on time and memory
  exit_code, signal, error_type, expect_result, result_length, result_text, stdout, stdout_prefix, stdout_contains,
  stdout_length, stderr_contains, files, displays, forbid   what the answer must hold, or must not
  runs: 2 [at once], compare: different                     several runs; the results' "value" differs in each key
  host_check      a check of the host afterwards, see HOST_CHECKS
  rests_on        a guarantee: where the run itself says that it is not enforced, a failure counts as `weak`
  filename        the program's name;  syntax: broken       it is not meant to compile
  in_TIER         NAME=VALUE: that header's value in this tier (TIER: process, docker, gvisor, microvm); an empty VALUE
                  takes it away. With why=…, the reason in a sentence, which each needs that sets anything else
After every run, whatever the header says: one JSON object with all fields; no process is left; nothing of the host's
canary, which is in a file, in the environment and behind every listener, is in the answer.
"""

import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import casemate  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
TIERS = ("process", "docker", "gvisor", "microvm")
# A kernel of their own answers refused calls by itself, and tells its process limit to the program alone.
OWN_KERNEL = ("gvisor", "microvm")
REPEATED = {"flags", "stderr_contains", "stdout_contains", "forbid", "host_check", "denial", "what", "host"}
_SINGLE = (
    "expect args stdin uses needs wall_ms_max memory_peak_max supervisor_rss_max exit_code signal error_type "
    "expect_result result_length result_text stdout stdout_prefix stdout_length files displays runs compare "
    "filename syntax rests_on"
)
KNOWN = REPEATED | set(_SINGLE.split())
# Of the header in_TIER.
_OF_TIER = KNOWN | {"why"}
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Failure(Exception):
    pass


def check(held, sentence):
    if not held:
        raise Failure(sentence)


def size(text):
    return int(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else int(text)


def unescape(text):
    return json.loads('"' + text.replace('"', '\\"') + '"')


class Program:
    def __init__(self, path, tier=""):
        self.path = path
        self.tier = tier
        self.text = path.read_text(encoding="utf-8")
        self.hostile = "hostile" in path.parts
        self.name = str(path.relative_to(HERE))
        self.header = {}
        self.tiers = {}
        for line in self.text.splitlines():
            match = re.match(r"(?:#|//) ([a-z_]+): ?(.*)$", line)
            if not match:
                if line.startswith("#!"):
                    continue
                break
            name, value = match.groups()
            if name.startswith("in_"):
                self.take_for_tier(name.removeprefix("in_"), value)
                continue
            check(name in KNOWN, f"{self.name}: unknown header {name}")
            if name in REPEATED:
                self.header.setdefault(name, []).append(value)
            else:
                check(name not in self.header, f"{self.name}: header {name} twice")
                self.header[name] = value
        check("what" in self.header, f"{self.name}: no `what`")
        for said in self.tiers.values():
            check("why" in said, f"{self.name}: no `why` for what a tier does otherwise")
        self.header.update(self.tiers.get(tier, {}))
        # Docker's filter refuses without telling anybody.
        if tier == "docker":
            told = [denial for denial in self.header.get("denial", []) if not denial.startswith(("syscall", "network"))]
            self.header["denial"] = told or ""
        self.header = {name: value for name, value in self.header.items() if value not in ("", [""])}
        self.why = self.header.pop("why", "")
        if tier in OWN_KERNEL:
            told = [wanted for wanted in self.header.get("denial", []) if wanted.split()[0] == "limit"]
            self.header["denial"] = told
        expectation = self.header.get("expect", "status=ok")
        self.contained = "contained" in expectation.split("|")
        self.statuses = {word.removeprefix("status=") for word in expectation.split("|")} - {"contained"}
        check(self.statuses <= casemate.STATUSES | {"refused"}, f"{self.name}: unknown status in {expectation}")
        if self.hostile:
            check("expect" in self.header, f"{self.name}: a hostile program says what to expect")

    def take_for_tier(self, tier, assignment):
        name, equals, value = assignment.partition("=")
        check(tier in TIERS and equals and name in _OF_TIER, f"{self.name}: `in_{tier}: {assignment}` means nothing")
        said = self.tiers.setdefault(tier, {})
        if name in REPEATED:
            said.setdefault(name, []).append(value)
        else:
            said[name] = value

    def get(self, name, default=None):
        return self.header.get(name, default)

    def source(self):
        text = self.text
        if self.get("uses") == "attempts":
            text = (HERE / "attempts.py").read_text(encoding="utf-8") + "\n" + text
        return self.place(text) if self.tier == "process" else text

    def place(self, text):
        """That tier has no root of its own: seen from the working folder, what is /workspace and /tmp elsewhere."""
        shared = re.search(r"--workspace \S+:r[ow]", " ".join(self.get("flags", [])))
        places = {"workspace": "." if shared else "../workspace", "tmp": "/tmp" if shared else "../tmp"}
        return re.sub(r"(?<![\w./])/(workspace|tmp)\b", lambda found: places[found.group(1)], text)


def discover(pattern, tier=""):
    programs = [
        Program(path, tier)
        for folder in ("hostile", "harmless")
        for path in sorted((HERE / folder).rglob("*"))
        if path.suffix in (".py", ".sh", ".c")
    ]
    return [program for program in programs if pattern in program.name]
