#!/usr/bin/env python3
"""Writes profiles/checks/python.toml as C++ tables (src/policy/checks/rules.h says what they hold).
usage: tools/check_tables.py PROFILE OUTPUT"""

import pathlib
import re
import sys
import tomllib
import unicodedata

KEYS = {"kind", "severity", "reason", "remedy", "names", "allowed"}


def quoted(text: str) -> str:
    if not isinstance(text, str) or not text.isascii() or '"' in text or "\\" in text or "\n" in text:
        sys.exit(f"check_tables: {text!r} must be plain ASCII text")
    return f'"{text}"'


def rules(profile: dict) -> tuple[list[str], list[str], list[str]]:
    """The rules, the names they match by (rule, name), and the names that a rule leaves alone."""
    heads, names, allowed = [], [], []
    for index, (rule, table) in enumerate(profile.items()):
        if set(table) - KEYS:
            sys.exit(f"check_tables: [{rule}] has the unknown key {min(set(table) - KEYS)}")
        if table["severity"] not in ("error", "warning"):
            sys.exit(f"check_tables: [{rule}] has the severity {table['severity']}; write error or warning")
        if "reason" not in table and "names" not in table:
            sys.exit(f"check_tables: [{rule}] gives no reason")
        severity = "Severity::kError" if table["severity"] == "error" else "Severity::kWarning"
        heads.append(f"    {{{quoted(rule)}, {quoted(table['kind'])}, {severity}, "
                     f"{quoted(table.get('reason', ''))}, {quoted(table['remedy'])}}},")
        names += [(index, name, reason) for name, reason in table.get("names", {}).items()]
        allowed += list(table.get("allowed", {}))
    rows = [f"    {{{index}, {quoted(name)}, {quoted(reason)}}}," for index, name, reason in sorted(names)]
    return heads, rows, [f"    {quoted(name)}," for name in sorted(allowed)]


def lookalikes() -> list[str]:
    """Characters that Python reads as ASCII letters in a name (PEP 3131: NFKC), sorted."""
    rows = []
    for point in range(0x80, 0x110000):
        plain = unicodedata.normalize("NFKC", chr(point))
        if re.fullmatch("[A-Za-z0-9_]+", plain):
            rows.append(f"    {{{point}, {quoted(plain)}}},")
    return rows


def main() -> None:
    profile, output = map(pathlib.Path, sys.argv[1:])
    heads, names, allowed = rules(tomllib.loads(profile.read_text(encoding="utf-8")))
    modules = [f"    {quoted(name)}," for name in sorted(sys.stdlib_module_names)]

    def table(kind: str, name: str, getter: str, rows: list[str]) -> str:
        return (f"constexpr {kind} {name}[] = {{\n" + "\n".join(rows) + "\n};\n}  // namespace\n\n"
                f"std::span<const {kind}> {getter}() {{ return {name}; }}\n\nnamespace {{\n")

    output.write_text(
        '// Made by tools/check_tables.py.\n#include "policy/checks/rules.h"\n\nnamespace casemate {\nnamespace {\n'
        + table("CheckRule", "kRules", "CheckRules", heads)
        + table("RuleName", "kNames", "RuleNames", names)
        + table("std::string_view", "kAllowed", "AllowedDunders", allowed)
        + table("std::string_view", "kModules", "StandardModules", modules)
        + table("Lookalike", "kLookalikes", "Lookalikes", lookalikes())
        + "}  // namespace\n}  // namespace casemate\n", encoding="utf-8")


if __name__ == "__main__":
    main()
