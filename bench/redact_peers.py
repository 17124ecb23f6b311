"""The rules of profiles/redaction/ as plain regular expressions, for engines that know nothing else.

Keys by their names, passwords, addresses and numbers, which Casemate finds by hand-written code, are approximated;
checks such as Luhn's are left out. That makes the peers' work less, not more.
"""

import pathlib
import re
import tomllib

# What tutorials on cleaning the output of agents have.
TUTORIAL = [
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"\b(?:\d[ -]*?){13,16}\b",
    r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b",
    r"sk-[A-Za-z0-9]{20,}",
    r"AKIA[0-9A-Z]{16}",
    r"(?i)(?:api[_-]?key|password|secret|token)\s*[:=]\s*['\"]?[^\s'\"]{8,}",
]
ASSIGNED = {"password": r"[^\s'\"]{6,}", "secret": r"[A-Za-z0-9+/=_.-]{12,}"}
OWN = {
    "url": r"[a-z+]+://[^/\s:@]*:[^/\s:@]+@",
    "pem": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "email": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    "ipv6": r"\bf[cd][0-9a-f]{2}:[0-9a-f:]+",
    "iban": r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}",
}


def expression(rule: dict) -> str:
    kind = rule["kind"]
    if kind in ("token", "text"):
        fold = "(?i:%s)" if rule.get("ignore_case") else "%s"
        lead = {"hex:32:3": "[0-9a-f]{32}", "alnum:76:24": "[A-Za-z0-9]{76}"}.get(rule.get("lead", ""), "")
        return lead + fold % rule["pattern"]
    if kind == "number":
        digits = "[0-9]{%d}"
        shapes = [re.sub(r"D+", lambda run: digits % len(run.group()), re.escape(one)) for one in rule["shapes"]]
        return r"\b(?:%s)\b" % "|".join(shape.replace(r"\ ", " ") for shape in shapes)
    if kind in OWN:
        return OWN[kind]
    names = "|".join(re.escape(keyword) for keyword in rule["keywords"])
    value = rule.get("pattern") or ASSIGNED[kind]
    return rf"(?i:(?:{names})[A-Za-z0-9_-]*['\"]?\s*[:=]\s*['\"]?(?:{value}))"


def patterns(folder: pathlib.Path) -> list[str]:
    rules = [rule for path in sorted(folder.glob("*.toml")) for rule in tomllib.loads(path.read_text())["rule"]]
    return [expression(rule) for rule in rules]


def rust(pattern: str) -> str:
    """For ripgrep, whose syntax is that of RE2 but for what need not be escaped."""
    def plain(found: re.Match) -> str:
        return found[0] if found[1] is None else r"\x2d" if found[1] == "-" else found[1]

    return re.sub(r"\\\\|\\([-~&#@ /\"'`:=_])", plain, pattern)


def posix(pattern: str) -> str:
    """For grep -E: no groups that do not capture, no lazy repeats, no classes by a letter inside brackets."""
    out, in_class, i = [], False, 0
    while i < len(pattern):
        two = pattern[i:i + 2]
        if in_class:
            if two == r"\s":
                out.append("[:space:]")
                i += 2
                continue
            if pattern[i] == "\\":
                i += 1
                if pattern[i] in "rn\\":
                    i += 1
                    continue
            in_class = pattern[i] != "]" or out[-1] in ("[", "[^")
            out.append(pattern[i])
        elif pattern.startswith("(?i:", i) or pattern.startswith("(?:", i):
            out.append("(")
            i += pattern.index(":", i) - i
        elif two in ("??", "*?", "+?", "}?"):
            out.append(two[0])
            i += 1
        elif two[0] == "\\" and two[1:] in ('"', "'", "-", "/", ":", "=", "@", " ", "#", "&", "~"):
            out.append(two[1])
            i += 1
        elif two[0] == "\\":
            out.append(two)
            i += 1
        else:
            in_class = pattern[i] == "["
            out.append("[^" if two == "[^" else pattern[i])
            i += two == "[^"
        i += 1
    return "".join(out)
