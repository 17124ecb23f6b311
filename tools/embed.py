#!/usr/bin/env python3
"""Writes a C++ source that holds files as constants: std::string_view NAME(path), and NAMEDigest(), the SHA-256
of all of them."""

import argparse
import hashlib
import pathlib


def literal(data: bytes) -> str:
    """A C++ string literal a line; octal escapes never run into what follows them."""
    lines = []
    for start in range(0, len(data), 64):
        chunk = data[start:start + 64]
        lines.append('    "' + "".join(
            chr(b) if 32 <= b < 127 and b not in (34, 92, 63) else f"\\{b:03o}" for b in chunk) + '"')
    return "\n".join(lines) or '    ""'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    entries, rows, digest = [], [], hashlib.sha256()
    for index, file in enumerate(sorted(args.files)):
        data = file.read_bytes()
        entries.append(f"constexpr char kFile{index}[] =\n{literal(data)};")
        key = file.name if file.is_absolute() else file.as_posix()  # absolute: made by the build
        digest.update(f"{key}\0{len(data)}\0".encode() + data)
        rows.append(f'    {{"{key}", {{kFile{index}, {len(data)}}}}},')
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(
        "// Made by tools/embed.py.\n#include <string_view>\n#include <utility>\n\n"
        "namespace casemate::embedded {\nnamespace {\n" + "\n".join(entries) +
        "\nconstexpr std::pair<std::string_view, std::string_view> kFiles[] = {\n" +
        "\n".join(rows) + "\n};\n}  // namespace\n\n"
        f"std::string_view {args.name}(std::string_view path) {{\n"
        "  for (const auto& [name, bytes] : kFiles) {\n"
        "    if (name == path) return bytes;\n  }\n  return {};\n}\n\n"
        f'std::string_view {args.name}Digest() {{ return "{digest.hexdigest()}"; }}\n'
        "}  // namespace casemate::embedded\n")


if __name__ == "__main__":
    main()
