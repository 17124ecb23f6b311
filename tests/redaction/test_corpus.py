"""Recall, precision and the text around a secret, on labelled lines; and on what Python's own library says."""

import collections
import os
import pathlib
import random
import re
import subprocess
import sys
import sysconfig
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
import corpus  # noqa: E402

SEED = int(os.environ.get("CASEMATE_CORPUS_SEED", "20261121"))
EACH = int(os.environ.get("CASEMATE_CORPUS_EACH", "40"))


def redact(text: str) -> str:
    done = subprocess.run([casemate.BINARY, "redact"], input=text.encode(), capture_output=True,
                          timeout=120 * casemate.SLOW, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def cleaned(texts: list[str]) -> list[str]:
    """Each text as it comes back, all in one call: marks of their own lines stand between them."""
    answers = re.split(r"\n@@(\d+)@@\n", redact("".join(f"{text}\n@@{i}@@\n" for i, text in enumerate(texts))))
    assert [int(mark) for mark in answers[1::2]] == list(range(len(texts))), "a mark is gone"
    return answers[:-1:2]


class Corpus(unittest.TestCase):
    def test_secrets_are_taken_out_and_the_text_around_them_stays(self) -> None:
        labelled = corpus.secrets(random.Random(SEED), EACH)
        missed, lost = collections.Counter(), []
        for each, answer in zip(labelled, cleaned([each.line for each in labelled])):
            if each.secret in answer:
                missed[each.kind] += 1
            elif each.kind != "private key":
                before, _, after = each.line.partition(each.secret)
                if not (answer.startswith(before) and answer.endswith(after)):
                    lost.append((each.line, answer))
        recall = 1 - missed.total() / len(labelled)
        print(f"recall {recall:.4f} of {len(labelled)} labelled lines of {len(set(e.kind for e in labelled))} kinds; "
              f"missed: {dict(missed)}; text lost around {len(lost)}", file=sys.stderr)
        self.assertGreaterEqual(recall, 0.99)
        self.assertLessEqual(len(lost), len(labelled) // 1000, lost[:10])

    def test_ordinary_lines_stay_as_they_are(self) -> None:
        lines = corpus.ordinary(random.Random(SEED + 1), 200 * EACH)
        changed = [(line, answer) for line, answer in zip(lines, cleaned(lines)) if line != answer]
        print(f"precision {1 - len(changed) / len(lines):.4f} of {len(lines)} ordinary lines", file=sys.stderr)
        self.assertLessEqual(len(changed), len(lines) * 5 // 1000, changed[:10])

    def test_the_sources_of_pythons_library_stay_as_they_are(self) -> None:
        folder = pathlib.Path(sysconfig.get_paths()["stdlib"])
        lines = [line for path in sorted(folder.glob("*.py"))
                 for line in path.read_text("utf-8", "replace").splitlines() if "@@" not in line]
        self.assertGreater(len(lines), 50_000)
        changed = [(line, answer) for line, answer in zip(lines, cleaned(lines)) if line != answer]
        self.assertLessEqual(len(changed), 20, changed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
