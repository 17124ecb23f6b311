#!/usr/bin/env python3
"""A run gets its secrets, and nobody else: the engine's and the zygote's memory, /proc, the state folder, logs and
later runs are searched for planted values during and after runs."""

import base64
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import casemate  # noqa: E402
import vault_server  # noqa: E402
from case import Case  # noqa: E402
from engine import Engine  # noqa: E402

# Values come back shifted by one: the redactor knows them in every spelling that a program is likely to use.
SHOW = """
import os
def shifted(text):
    return text and "".join(chr(ord(c) + 1) for c in text)
result = {"variable": shifted(os.environ.get("VAR")), "file": None, "folder": os.listdir("/run/secrets"), "denied": []}
if result["folder"]:
    path = "/run/secrets/" + result["folder"][0]
    result["file"] = shifted(open(path).read())
    result["mode"] = oct(os.stat(path).st_mode)
    for attempt in (lambda: open(path, "w"), lambda: open("/run/secrets/more", "w"), lambda: os.unlink(path),
                    lambda: os.chmod(path, 0o644)):
        try:
            attempt()
        except OSError as error:
            result["denied"].append(error.errno)
    result["mount"] = [line.split()[2] for line in open("/proc/self/mounts") if " /run/secrets " in line]
"""
WAIT = "import os, time\nopen('/tmp/up', 'w')\nprint('up', flush=True)\ntime.sleep(6)\n"


def plain(shifted):
    return shifted and "".join(chr(ord(c) - 1) for c in shifted)


def planted(name):
    """A value that nothing on this host has by chance."""
    return f"{name}-{os.urandom(12).hex()}-planted"


def readable(pid):
    """The memory of a process of ours, mapping by mapping, without its initial stack, which has its environment."""
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                words = line.split()
                if "r" not in words[1] or (len(words) > 5 and words[5] in ("[stack]", "[vvar]", "[vsyscall]")):
                    continue
                start, end = (int(part, 16) for part in words[0].split("-"))
                if casemate.SANITIZED and end - start > 1 << 32:
                    continue  # the shadow memory
                try:
                    memory.seek(start)
                    yield line.strip(), memory.read(end - start)
                except (OSError, ValueError, OverflowError):
                    pass
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return


def family(pid):
    """A process and all below it."""
    found = [pid]
    for process, (parent, _, _) in sorted(casemate.processes().items()):
        if parent in found:
            found.append(process)
    return found


def forms(value):
    raw = value.encode()
    return [raw, raw.hex().encode(), base64.b64encode(raw)[4:-4]]


def in_memory(pid, values):
    return [
        (pid, line, value)
        for line, data in readable(pid)
        for value in values
        if any(form in data for form in forms(value))
    ]


def in_files(folder, values):
    hits = []
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            hits += [str(path) for value in values if any(form in data for form in forms(value))]
    return hits


def in_proc(values):
    """Command lines and environments of all processes of this host but ours and those in sandboxes."""
    hits = []
    for pid in casemate.processes():
        for name in ("cmdline", "environ"):
            try:
                data = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
            except OSError:
                continue
            if pid != os.getpid() and any(value.encode() in data for value in values):
                hits.append((pid, name))
    return hits


class Secrets(Case):
    def with_env(self, **changes):
        return dict(self.env, **changes)

    def write(self, name, text, mode=0o600):
        path = os.path.join(str(self.place), name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path


class Cold(Secrets):
    def test_variable_and_file(self):
        variable, text = planted("variable"), planted("file")
        path = self.write("key", text + "\n")
        done = self.run_json(
            "--no-engine",
            "--secret",
            "VAR=env:PLANTED",
            "--secret",
            f"key.pem:file=file:{path}",
            "-c",
            SHOW,
            env=self.with_env(PLANTED=variable),
        )
        self.assertEqual(done["status"], "ok", done.tell())
        result = done["result"]
        self.assertEqual((plain(result["variable"]), plain(result["file"])), (variable, text))
        self.assertEqual((result["folder"], result["mode"], result["mount"]), (["key.pem"], "0o100400", ["ramfs"]))
        self.assertEqual(len(result["denied"]), 4)

    def test_command(self):
        done = casemate.run(
            [
                "secrets",
                "run",
                "--no-engine",
                "--secret",
                "VAR=env:PLANTED",
                "--",
                "sh",
                "-c",
                "test \"$VAR\" = planted-value && echo same",
            ],
            env=self.with_env(PLANTED="planted-value"),
        )
        self.assertEqual((done.code, done.stdout), (0, b"same\n"), done.tell())

    def test_order_of_a_chain(self):
        path = self.write("key", "from the file\n")
        flags = ["--no-engine", "--secret", "VAR=env:PLANTED", "--secret", f"VAR=file:{path}"]
        done = self.run_json(*flags, "-c", SHOW, env=self.with_env(PLANTED="from the environment"))
        self.assertEqual(plain(done["result"]["variable"]), "from the environment")
        done = self.run_json(*flags, "-c", SHOW)
        self.assertEqual(plain(done["result"]["variable"]), "from the file")
        os.unlink(path)
        done = self.run_json(*flags, "-c", SHOW)
        self.assertEqual(done["status"], "rejected")
        self.assertIn("export PLANTED=", done["error"]["message"])
        self.assertIn("chmod 600", done["error"]["message"])

    def test_bad_places(self):
        long = self.write("long", "x" * 70000)
        binary = os.path.join(str(self.place), "binary")
        pathlib.Path(binary).write_bytes(b"planted\0value")
        os.chmod(binary, 0o600)
        os.mkfifo(os.path.join(str(self.place), "fifo"), 0o600)
        os.symlink(self.write("real", "planted-value"), os.path.join(str(self.place), "link"))
        cases = {
            f"file:{self.place}/none": "is not there",
            f"file:{self.write('empty', '')}": "is empty",
            f"file:{long}": "more than",
            f"file:{binary}": "zero byte",
            f"file:{self.place}/fifo": "no regular file",
            f"file:{self.place}/link": "symbolic link",
            f"file:{self.place}": "is a folder",
            f"file:{self.write('open', 'planted-value', 0o644)}": "chmod 600",
            f"dotenv:{self.write('env', 'A=1' + chr(10) + 'KEY=' + chr(34) + 'planted-value')}#KEY": "line 2",
            f"dotenv:{self.place}/none#KEY": "is not there",
            f"dotenv:{self.place}/fifo#KEY": "no regular file",
            f"dotenv:{self.place}/link#KEY": "symbolic link",
            f"dotenv:{self.place}#KEY": "is a folder",
            f"dotenv:{binary}#KEY": "zero byte",
            f"dotenv:{self.write('env-open', 'KEY=planted-value', 0o644)}#KEY": "chmod 600",
            "cmd:exit 3": "exit code 3",
            "cmd:printf 'planted-value\\0x'": "zero byte",
            "env:PLANTED=planted-value": "without the value",
            "planted-value": "not by its value",
        }
        for reference, says in cases.items():
            with self.subTest(reference):
                done = self.run_json("--no-engine", "--secret", f"VAR={reference}", "-c", SHOW)
                self.assertIn(done.code, (126,), done.tell())
                self.assertIn(says.encode(), done.stdout + done.stderr)
                if "=planted-value" not in reference and reference != "planted-value":
                    self.assertNotIn(b"planted-value", done.stdout + done.stderr)

    def test_brokered_needs_a_host_that_is_allowed(self):
        done = self.run_json("--no-engine", "--secret", "VAR:brokered=env:HOME", "-c", SHOW)
        self.assertEqual((done.code, done["status"]), (126, "rejected"))
        self.assertIn("names no host", done["error"]["message"])
        done = self.run_json("--no-engine", "--secret", "VAR@api.example.com=env:HOME", "-c", SHOW)
        self.assertEqual((done.code, done["status"]), (126, "rejected"))
        self.assertIn("add api.example.com to --network allow:", done["error"]["message"])

    def test_tracked_files_are_told_of(self):
        path = self.write(".env", "KEY=planted-value\n")
        git = ["git", "-C", str(self.place), "-c", "user.name=t", "-c", "user.email=t@t"]
        if casemate.host_command([*git, "init", "-q"]) != 0:
            self.skipTest("git is not there")
        flags = ["--no-engine", "--secret", f"VAR=dotenv:{path}#KEY", "-c", "pass"]
        self.assertNotIn(b"tracked by git", casemate.run(["run", *flags], env=self.env).stderr)
        self.assertEqual(casemate.host_command([*git, "add", "-f", ".env"]), 0)
        self.assertIn(b"tracked by git", casemate.run(["run", *flags], env=self.env).stderr)


class Commands(Secrets):
    def test_get_masks(self):
        env = self.with_env(PLANTED="sk-abcdefghijklmnopqrstuvwxyz")
        done = casemate.run(["secrets", "get", "env:NONE", "env:PLANTED"], env=env)
        self.assertEqual((done.code, done.stdout), (0, b"sk-a****wxyz\n"), done.tell())
        done = casemate.run(["secrets", "get", "--reveal", "env:PLANTED"], env=env)
        self.assertEqual((done.code, done.stdout), (126, b""), done.tell())
        shown = subprocess.run(
            ["script", "-qec", f"{casemate.BINARY} secrets get --reveal env:PLANTED", "/dev/null"],
            env=env,
            capture_output=True,
            timeout=60,
        )
        self.assertIn(b"sk-abcdefghijklmnopqrstuvwxyz", shown.stdout)

    def test_check(self):
        env = self.with_env(PLANTED="planted-value")
        done = casemate.run(
            ["secrets", "check", "--json", "env:PLANTED", "env:NONE", "file:/tmp", "planted-value"], env=env
        )
        self.assertEqual([row["state"] for row in json.loads(done.stdout)], ["found", "missing", "failed", "failed"])
        self.assertEqual(done.code, 1)
        self.assertNotIn(b"planted-value", done.stdout + done.stderr)
        self.assertEqual(casemate.run(["secrets", "check", "env:PLANTED"], env=env).code, 0)

    def test_scan_tells_where_and_never_what(self):
        token = "ghp_" + os.urandom(18).hex()
        home = pathlib.Path(str(self.place)) / "home"
        (home / "project" / ".git").mkdir(parents=True)
        (home / "project" / "settings.py").write_text(f"# settings\n\nTOKEN = '{token}'\nOTHER = '{token}'\n")
        (home / "project" / "notes.txt").write_text("the token is in the settings\n")
        (home / "project" / "data.bin").write_bytes(b"\0" + token.encode())
        (home / ".bashrc").write_text(f"alias ll='ls -l'\nexport GH_TOKEN={token}\n")

        def scan(*words):
            return subprocess.run([casemate.BINARY, "secrets", "scan", *words], capture_output=True, text=True,
                                  env={**os.environ, "HOME": str(home)}, timeout=60 * casemate.SLOW, check=False)

        found = scan(str(home / "project"))
        self.assertEqual(found.returncode, 1, found.stderr)
        self.assertIn(f"{home}/project/settings.py:3: github_token (2 times)", found.stdout)
        self.assertNotIn(token, found.stdout + found.stderr)
        start_up = json.loads(scan("--start-up", "--json").stdout)
        self.assertEqual(start_up["findings"],
                         [{"file": f"{home}/.bashrc", "line": 2, "rule": "github_token", "count": 1}])
        self.assertEqual(scan(str(home / "project" / "notes.txt")).returncode, 0)
        for words in ((), (str(home / "missing"),), ("--deep", str(home))):
            refused = scan(*words)
            self.assertEqual((refused.returncode, refused.stdout), (126, ""), words)


class Warm(Secrets):
    def start(self, **env):
        engine = Engine(self.place / "socket", self.with_env(**env), "--preload", "json", "--pool-size", "2")
        self.addCleanup(engine.end)
        casemate.settle(lambda: not any(pool["cells_ready"] for pool in engine.health()["pools"]), 30)
        return engine

    def run_at(self, engine, code, *flags):
        return self.run_json("--engine", engine.path, *flags, "-c", code)

    def test_planted_values_are_nowhere_else(self):
        file_value, dotenv_value, vault_value = planted("file"), planted("dotenv"), planted("vault")
        values = [file_value, dotenv_value, vault_value]
        server = vault_server.Server()
        self.addCleanup(server.close)
        server.vault.put("secret/app", {"key": vault_value})
        engine = self.start(VAULT_ADDR=server.address, VAULT_TOKEN=server.vault.root)
        flags = [
            "--secret",
            f"VAR=file:{self.write('key', file_value)}",
            "--secret",
            f"pem:file=dotenv:{self.write('.env', 'KEY=' + dotenv_value)}#KEY",
            "--secret",
            "OTHER=vault:secret/app#key",
        ]
        done = self.run_at(engine, SHOW, *flags)
        self.assertEqual(done["status"], "ok", done.tell())
        self.assertEqual((plain(done["result"]["variable"]), plain(done["result"]["file"])), (file_value, dotenv_value))
        self.assertTrue(
            any(t["step"] == "take_cell" or t["step"] == "fork_on_demand" for t in done["timings"]), done.tell()
        )

        # While one runs: its own process has them, the zygote, its other cells and the host's /proc do not.
        runner = threading.Thread(target=self.run_at, args=(engine, WAIT, *flags))
        runner.start()
        time.sleep(2.5)
        holders = {pid for pid in family(engine.process.pid) if in_memory(pid, [file_value])}
        command_lines = in_proc(values)
        runner.join()
        self.assertTrue(holders, "the search does not even find what must be there")
        self.assertLessEqual(len(holders - {engine.process.pid}), 1, holders)
        self.assertEqual(command_lines, [])

        # Afterwards: nothing, but for the remote value, which is kept, locked, for its time.
        done = self.run_at(engine, SHOW)
        self.assertEqual((done["result"]["variable"], done["result"]["folder"]), (None, []))
        self.assertEqual(
            [hit for pid in family(engine.process.pid) for hit in in_memory(pid, [file_value, dotenv_value])], []
        )
        kept = [hit for hit in in_memory(engine.process.pid, [vault_value])]
        self.assertLessEqual(len(kept), 1, kept)
        for _, line, _ in kept:
            self.assertTrue(self.is_locked(engine.process.pid, line.split()[0]), line)
        os.unlink(os.path.join(str(self.place), "key"))
        os.unlink(os.path.join(str(self.place), ".env"))
        self.assertEqual(in_files(self.folder, values), [])
        self.assertEqual(in_proc(values), [])

    @staticmethod
    def is_locked(pid, addresses):
        inside = False
        for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
            if line.split()[0] == addresses:
                inside = True
            elif inside and line.startswith("VmFlags:"):
                return " lo" in line and " dd" in line
        return False

    def test_an_engine_is_not_asked_for_our_environment(self):
        engine = self.start(PLANTED="the engine's")
        done = self.run_at(engine, SHOW, "--secret", "VAR=env:PLANTED")
        self.assertEqual(done.code, 126)
        env = self.with_env(PLANTED="ours", CASEMATE_SOCKET=engine.path)
        done = casemate.run(["run", "--json", "--secret", "VAR=env:PLANTED", "-c", SHOW], env=env)
        self.assertEqual(plain(done["result"]["variable"]), "ours", done.tell())


if __name__ == "__main__":
    unittest.main(verbosity=2)
