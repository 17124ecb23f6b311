#!/usr/bin/env python3
"""Each rule of lint_tree.py, seen to fail and seen to pass."""

import pathlib
import tempfile
import unittest

import lint_tree


class LintTree(unittest.TestCase):
    def faults(self, name: str, text: str, mode: int = 0o644) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, name)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
            path.chmod(mode)
            return lint_tree.faults(path, pathlib.Path(folder))

    def test_a_good_file_has_no_faults(self):
        self.assertEqual(self.faults("a.h", "#pragma once\nint a;\n"), [])
        self.assertEqual(self.faults("a.md", "[one](a.md) [two](/a.md#part)\n"), [])
        self.assertEqual(self.faults("run", "#!/bin/sh\n", 0o755), [])

    def test_each_rule_finds_its_fault(self):
        leftover = "TO" + "DO"
        for name, text, expected in [
            ("a.h", "int a;\n", "#pragma once"),
            ("a.cc", "int a;\n" * 600, "split it"),
            ("a.cc", "int a;", "no end"),
            ("a.cc", "int a; \n", "space at the end"),
            ("a.cc", "\tint a;\n", "a tab"),
            ("a.cc", f"// {leftover} later\n", "a leftover"),
            ("a.md", "<<<<<<< HEAD\n", "a merge conflict"),
            ("a.md", "[gone](gone.md)\n", "is not there"),
            ("a.md", "\udcff\n", "not UTF-8"),
            ("run", "#!/bin/sh\n", "is executable when"),
        ]:
            with self.subTest(expected):
                found = self.faults(name, text)
                self.assertEqual(len(found), 1, found)
                self.assertIn(expected, found[0])


if __name__ == "__main__":
    unittest.main()
