#!/usr/bin/env python3
"""Many programs in one go: order, statuses, bad lines, back-pressure, interruption and going on after it.

CASEMATE_BATCH_KILLS (10) is the number of random instants at which a batch is killed. The seed is printed; set
CASEMATE_BATCH_SEED to repeat a series.
"""

import collections
import hashlib
import json
import os
import pathlib
import pty
import random
import secrets
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402

KILLS = int(os.environ.get("CASEMATE_BATCH_KILLS", "10"))
SEED = int(os.environ.get("CASEMATE_BATCH_SEED", secrets.randbelow(10**6)))

# Every tenth item is one of these: code or a whole line, its own limits, and the status it must have.
UNUSUAL = [
    ("raise KeyError('k')", {}, "error"),
    ("raise SystemExit(7)", {}, "error"),
    ("while True: pass", {"wall_time_ms": 300}, "timeout"),
    ("while True: pass", {"cpu_time_ms": 200, "wall_time_ms": 20000}, "cpu_limit"),
    ("held = []\nwhile True: held.append(b'x' * 1000000)", {"memory_bytes": 64 << 20}, "memory_limit"),
    ("while True: print('x' * 1000)", {"stdout_bytes_max": 10000}, "output_limit"),
    ("import os\nos.kill(os.getpid(), 9)", {}, "error"),
    ("result = {1: object()}", {}, "result_invalid"),
    (None, '{"id": 1, "code": "pass"', "rejected"),
    (None, '{"id": "odd", "code": "pass", "no_such_field": 1}', "rejected"),
]


def request(number, code, **fields):
    return json.dumps({"id": f"item-{number}", "code": code, **fields})


def lines_of(data):
    """The result lines, each of them whole."""
    if data and not data.endswith(b"\n"):
        raise AssertionError(f"a torn last line: {data[-80:]!r}")
    return [casemate.strict_json(line.decode()) for line in data.split(b"\n")[:-1]]


class BatchCase(Case):
    def jobs(self, lines, name="jobs.jsonl"):
        path = self.place / name
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return str(path)

    def batch(self, *arguments, **options):
        return self.run_text("--no-engine", "--batch", *arguments, **options)

    def done(self, *arguments, **options):
        """The results of a batch that must end by itself with all its lines on stdout."""
        done = self.batch(*arguments, **options)
        self.assertEqual(done.code, 0, done.stderr[-500:])
        return lines_of(done.stdout)


class Results(BatchCase):
    def test_two_hundred_items_with_one_in_ten_unusual(self):
        lines, expected = [], []
        for number in range(200):
            code, limits, status = f"result = {number} * 2", {}, "ok"
            if number % 10 == 4:
                code, limits, status = UNUSUAL[number // 10 % len(UNUSUAL)]
            lines.append(limits if code is None else request(number, code, limits=limits))
            expected.append(status)
        done = self.batch(self.jobs(lines), "--jobs", "4", deadline=300)
        self.assertEqual(done.code, 0, done.stderr[-500:])
        results = lines_of(done.stdout)
        self.assertEqual([entry["line"] for entry in results], list(range(1, 201)))
        self.assertEqual([entry["result"]["status"] for entry in results], expected)
        for number, entry in enumerate(results):
            self.assertEqual(entry["request_sha256"], hashlib.sha256(lines[number].encode()).hexdigest())
            self.assertGreaterEqual(set(entry["result"]), casemate.FIELDS)
            if expected[number] == "ok":
                self.assertEqual((entry["id"], entry["result"]["result"]), (f"item-{number}", number * 2))
        summary = done.stderr.decode()
        for status, count in collections.Counter(expected).items():
            self.assertIn(f"{count} {status}", summary)

    def test_unordered_gives_each_result_at_once(self):
        lines = [request(0, "import time; time.sleep(4)")] + [request(n, "pass") for n in range(1, 6)]
        results = self.done(self.jobs(lines), "--unordered", "--jobs", "2")
        self.assertEqual(results[-1]["line"], 1)
        self.assertEqual(sorted(entry["line"] for entry in results), [1, 2, 3, 4, 5, 6])

    def test_bad_lines_are_results_and_not_the_end(self):
        twice = '{"code": "1", "code": "2"}'
        bad = ["", "nonsense", "[1]", "null", '{"id": {}, "code": "1"}', '{"code": 1}', "{}", twice]
        lines = [*bad, request("last", "result = 1")]
        results = self.done(self.jobs(lines))
        self.assertEqual([entry["line"] for entry in results], list(range(2, 10)))  # blank lines are none
        for entry in results[:-1]:
            self.assertEqual(entry["result"]["status"], "rejected", entry)
            self.assertTrue(entry["result"]["error"]["message"], entry)
        self.assertEqual(results[-1]["result"]["result"], 1)

    def test_ids_come_back_as_they_were(self):
        lines = ['{"id": "\\u00e4\\"", "code": "1"}', '{"code": "1", "id": 9007199254740993}', '{"code": "1"}']
        self.assertEqual([e["id"] for e in self.done(self.jobs(lines))], ["ä\"", 9007199254740993, None])

    def test_flags_are_what_items_fall_back_on(self):
        code = "import os\nresult = os.environ.get('WHO')\nwhile result == 'flag': pass"
        own = [{}, {"env": {"WHO": "item"}}, {"limits": {"wall_time_ms": 5000}}]
        lines = [request(n, code, **fields) for n, fields in enumerate(own)]
        results = self.done(self.jobs(lines), "--timeout", "400ms", "-e", "WHO=flag", "--jobs", "3")
        self.assertEqual([e["result"]["status"] for e in results], ["timeout", "ok", "timeout"])
        self.assertEqual(results[1]["result"]["result"], "item")
        self.assertLess(results[0]["result"]["usage"]["wall_ms"], results[2]["result"]["usage"]["wall_ms"])

    def test_input_files_and_outputs_of_an_item(self):
        fields = {"input": {"n": 20}, "files": {"a.txt": "from the line"}, "collect": ["*.out"]}
        code = "open('b.out', 'w').write(open('a.txt').read())\nresult = INPUT_DATA['n'] + 1"
        result = self.done(self.jobs([request(0, code, **fields)]))[0]["result"]
        self.assertEqual((result["status"], result["result"]), ("ok", 21))
        self.assertEqual(result["files"][0]["name"], "b.out")

    def test_jobs_from_stdin_give_their_results_before_its_end(self):
        process = casemate.start(
            ["run", "--no-engine", "--batch", "-", "--quiet"],
            env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for number in range(3):
            process.stdin.write(request(number, f"result = {number}").encode() + b"\n")
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["result"]["result"], number)
        process.stdin.close()
        self.assertEqual(process.stdout.read(), b"")
        process.stdout.close()
        casemate.finish(process)
        self.assertEqual(process.returncode, 0)

    def test_refusals(self):
        jobs = self.jobs([request(0, "result = 1")])
        output = str(self.place / "out.jsonl")
        (self.place / "out.jsonl").write_text("precious\n")
        for arguments, code, says in (
            ([str(self.place / "nowhere.jsonl")], 127, "nowhere.jsonl"),
            ([jobs, "--output", output], 126, "--resume"),
            ([jobs, "--output", output, "--resume"], 126, "journal"),
            ([jobs, "--resume"], 126, "--output"),
            ([jobs, "--jobs", "0"], 126, "1 to"),
            ([jobs, "-c", "pass"], 126, "--code"),
            ([jobs, "app.py"], 126, "app.py"),
        ):
            done = self.batch(*arguments)
            self.assertEqual((done.code, done.stdout), (code, b""), arguments)
            self.assertIn(says, done.stderr.decode(), arguments)
        self.assertEqual((self.place / "out.jsonl").read_text(), "precious\n")

    def test_quiet_and_full_disk(self):
        jobs = self.jobs([request(0, "result = 1")])
        done = self.batch(jobs, "--quiet")
        self.assertEqual((done.code, done.stderr), (0, b""))
        with open("/dev/full", "wb") as full:
            process = casemate.start(
                ["run", "--no-engine", "--batch", jobs], env=self.env, stdout=full, stderr=subprocess.PIPE
            )
            told = process.stderr.read().decode()
            process.stderr.close()
            casemate.finish(process)
        self.assertEqual(process.returncode, 125)
        self.assertIn("cannot be written", told)


class Progress(BatchCase):
    def test_bar_on_a_terminal_is_gone_at_the_end(self):
        jobs = self.jobs([request(n, "import time; time.sleep(0.2)") for n in range(10)])
        master, slave = pty.openpty()
        env = {**self.env, "LC_ALL": "C.UTF-8", "TERM": "xterm"}
        words = ["run", "--no-engine", "--batch", jobs, "--jobs", "1"]
        process = casemate.start(words, env=env, stdout=subprocess.DEVNULL, stderr=slave)
        os.close(slave)
        seen = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # how a terminal tells that its last writer is gone
                break
            seen += part
        os.close(master)
        casemate.finish(process)
        self.assertEqual(process.returncode, 0)
        text = seen.decode()
        self.assertRegex(text, r"█.*\d+%.*\d/10")
        self.assertIn("/s", text)
        bars, _, end = text.rpartition("\x1b[K")
        self.assertNotIn("\n", bars)
        self.assertIn("10 items", end)


class Pressure(BatchCase):
    def test_memory_does_not_grow_with_the_lines(self):
        peaks = []
        for count in (20000, 200000):
            path = self.place / f"many{count}.jsonl"
            with open(path, "w", encoding="utf-8") as file:
                for number in range(count):
                    file.write('{"id": %d, "code": "%s", "none": 0}\n' % (number, "x" * 200))
            output = str(self.place / f"many{count}.out")
            done = self.batch(str(path), "--output", output, deadline=300)
            self.assertEqual(done.code, 0, done.stderr[-500:])
            peaks.append(done.rss_bytes)
            with open(output, "rb") as file:
                self.assertEqual(sum(1 for _ in file), count)
        if not casemate.SANITIZED:
            self.assertLess(peaks[1] - peaks[0], 8 << 20, peaks)

    def test_nothing_begins_while_nobody_reads(self):
        folder = self.place / "begun"
        folder.mkdir()
        folder.chmod(0o777)
        workspace = {"path": str(folder), "mode": "rw"}
        code = "open(INPUT_DATA, 'x').close()\nprint('x' * 300000)"
        lines = [request(n, code, input=f"n{n}", workspace=workspace) for n in range(25)]
        process = casemate.start(
            ["run", "--no-engine", "--batch", self.jobs(lines), "--jobs", "2", "--quiet"],
            env=self.env, stdout=subprocess.PIPE,
        )
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < 2 * casemate.SLOW:
            count = len(os.listdir(folder))
            if count != seen:
                seen, since = count, time.monotonic()
            time.sleep(0.05)
        self.assertGreater(seen, 0)
        self.assertLessEqual(seen, 6)
        results = lines_of(process.stdout.read())
        process.stdout.close()
        casemate.finish(process)
        self.assertEqual([entry["line"] for entry in results], list(range(1, 26)))
        self.assertEqual(len(os.listdir(folder)), 25)


class Interrupted(BatchCase):
    """Each run of an item leaves a file of its own name in a host folder: how often an item ran is seen there."""

    ITEMS = 60

    def setUp(self):
        super().setUp()
        self.folder = self.place / "ran"
        self.folder.mkdir()
        self.folder.chmod(0o777)
        code = (
            "import os, time\nopen(f'{INPUT_DATA}.{os.urandom(8).hex()}', 'x').close()\n"
            "time.sleep(0.05)\nresult = INPUT_DATA"
        )
        workspace = {"path": str(self.folder), "mode": "rw"}
        self.lines = [request(n, code, input=n, workspace=workspace) for n in range(1, self.ITEMS + 1)]
        self.path = self.jobs(self.lines)
        self.output = self.place / "out.jsonl"

    def tearDown(self):
        # What a killed batch could not remove.
        casemate.run(["gc"], env=self.env)

    def words(self, *more):
        return ["run", "--no-engine", "--batch", self.path, "--output", str(self.output), "--jobs", "3", *more]

    def begin(self, *more):
        return casemate.start(self.words(*more), env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def end(self, process):
        told = process.stderr.read().decode()
        process.stderr.close()
        casemate.finish(process)
        return told

    def finish_batch(self, *more):
        done = casemate.run(self.words("--resume", *more), env=self.env, deadline=300)
        self.assertEqual((done.code, done.hung), (0, False), done.stderr[-500:])

    def results(self):
        return lines_of(self.output.read_bytes())

    def runs(self):
        return collections.Counter(int(name.split(".")[0]) for name in os.listdir(self.folder))

    def lines_written(self):
        return self.output.read_bytes().count(b"\n") if self.output.exists() else 0

    def wait_for_lines(self, count, process):
        end = time.monotonic() + 120 * casemate.SLOW
        while self.lines_written() < count:
            self.assertIsNone(process.poll(), "the batch ended too early")
            self.assertLess(time.monotonic(), end, "no results come")
            time.sleep(0.01)

    def check_never_twice(self):
        results, runs = self.results(), self.runs()
        self.assertEqual(sorted(entry["line"] for entry in results), list(range(1, self.ITEMS + 1)))
        self.assertEqual([n for n, count in runs.items() if count > 1], [])
        interrupted = 0
        for entry in results:
            result = entry["result"]
            if result["status"] == "ok":
                self.assertEqual((runs[entry["line"]], result["result"]), (1, entry["line"]))
                continue
            interrupted += 1
            if result["status"] == "failed":
                self.assertEqual(result["error"]["type"], "casemate.interrupted", entry)
                self.assertIn("may have run", result["error"]["message"])
            else:
                self.assertEqual(result["status"], "cancelled", entry)
        return interrupted

    def test_killed_at_any_instant_it_goes_on_and_runs_nothing_twice(self):
        print(f"seed {SEED}", flush=True)
        chance = random.Random(SEED)
        for kill in range(KILLS):
            more = ["--unordered"] if chance.random() < 0.3 else []
            process = self.begin("--resume", *more)
            if chance.random() < 0.5:
                time.sleep(chance.random() * 0.3)
            else:
                goal = self.lines_written() + chance.randrange(1, 6)
                while self.lines_written() < goal and process.poll() is None:
                    time.sleep(chance.random() * 0.01)
            process.kill()
            told = self.end(process)
            if process.returncode != -signal.SIGKILL:
                self.assertEqual(process.returncode, 0, told)
        self.finish_batch()
        interrupted = self.check_never_twice()
        self.assertLessEqual(interrupted, 3 * KILLS)
        # Once more, with nothing left to do.
        before = self.output.read_bytes()
        self.finish_batch()
        self.assertEqual(self.output.read_bytes(), before)

    def test_interrupted_items_run_again_when_that_is_asked_for(self):
        process = self.begin()
        self.wait_for_lines(5, process)
        process.kill()
        self.end(process)
        self.finish_batch()
        interrupted = {e["line"] for e in self.results() if e["result"]["status"] == "failed"}
        self.finish_batch("--retry-interrupted")
        results, runs = self.results(), self.runs()
        self.assertEqual(sorted(e["line"] for e in results), list(range(1, self.ITEMS + 1)))
        self.assertEqual({e["result"]["status"] for e in results}, {"ok"})
        self.assertLessEqual({n for n, count in runs.items() if count > 1}, interrupted)

    def test_order_is_kept_across_a_kill(self):
        process = self.begin()
        self.wait_for_lines(7, process)
        process.kill()
        self.end(process)
        self.finish_batch()
        self.assertEqual([e["line"] for e in self.results()], list(range(1, self.ITEMS + 1)))
        self.check_never_twice()

    def test_ctrl_c_ends_what_runs_and_keeps_what_is_done(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                self.output.unlink(missing_ok=True)
                process = self.begin()
                self.wait_for_lines(4, process)
                process.send_signal(number)
                told = self.end(process)
                self.assertEqual(process.returncode, 128 + number, told)
                self.assertIn("cancelled", told)
                journal = (self.place / "out.jsonl.journal").read_text()
                begun = {int(line.split()[1]) for line in journal.splitlines() if line.startswith("B ")}
                self.assertEqual({e["line"] for e in self.results()}, begun)
                self.assertLess(len(begun), self.ITEMS)
        for name in os.listdir(self.folder):  # of the first signal's runs too
            os.unlink(self.folder / name)
        cancelled = {e["line"] for e in self.results() if e["result"]["status"] == "cancelled"}
        done = {e["line"] for e in self.results()}
        self.finish_batch()
        self.assertEqual(set(self.runs()), set(range(1, self.ITEMS + 1)) - done)
        self.assertEqual([e["line"] for e in self.results()], list(range(1, self.ITEMS + 1)))
        self.assertEqual({e["line"] for e in self.results() if e["result"]["status"] == "cancelled"}, cancelled)

    def test_changed_job_file_is_refused(self):
        process = self.begin()
        self.wait_for_lines(3, process)
        process.kill()
        self.end(process)
        whole = pathlib.Path(self.path).read_text()
        for text, says in (
            (whole.replace("item-2", "item-two"), "line 2 has changed"),
            (self.lines[0] + "\n", "has 1 lines"),
        ):
            pathlib.Path(self.path).write_text(text)
            done = casemate.run(self.words("--resume"), env=self.env)
            self.assertEqual(done.code, 126, done.stderr)
            self.assertIn(says, done.stderr.decode())
        pathlib.Path(self.path).write_text(whole + request(61, "result = 61") + "\n")
        self.finish_batch()
        self.assertEqual(len(self.results()), 61)

    def test_two_batches_never_share_an_output(self):
        process = self.begin()
        self.wait_for_lines(1, process)
        for more in (["--resume"], ["--force"]):
            done = casemate.run(self.words(*more), env=self.env)
            self.assertEqual(done.code, 126)
            self.assertIn("another batch", done.stderr.decode())
        told = self.end(process)
        self.assertEqual(process.returncode, 0, told)
        self.assertEqual(self.check_never_twice(), 0)


if __name__ == "__main__":
    casemate.die_with_tests()
    unittest.main(verbosity=2)
