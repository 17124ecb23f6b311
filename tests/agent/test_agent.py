#!/usr/bin/env python3
"""The data-analysis agent against a scripted endpoint: a plan, a program with a mistake, its error fed back, the
corrected program, a plot, an answer. The program that is corrected, and what is told of it, are real."""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import casemate  # noqa: E402
from case import Case  # noqa: E402

DATA = casemate.REPOSITORY / "examples" / "data" / "degrees_women_usa.csv"
# The one that tools/setup has given pandas and matplotlib.
PYTHON = "/usr/bin/python3"

WRONG = "import pandas as pd\ndata = pd.read_csv('degrees_women_usa.csv')\nprint(data['Informatics'].max())\n"
RIGHT = """
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
data = pd.read_csv("degrees_women_usa.csv").set_index("Year")
change = (data.iloc[-1] - data.iloc[0]).sort_values()
print(f"largest change: {change.index[-1]} {change.iloc[-1]:.1f}")
data[change.index[-1]].plot()
plt.show()
"""


class ScriptedModel(http.server.ThreadingHTTPServer):
    """Answers each request by the next function of `script`, which is given what the agent has sent."""

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.requests, self.problems = iter(script), [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(request)
        try:
            if self.path != "/v1/chat/completions" or self.headers["Authorization"] != "Bearer test-key":
                raise AssertionError(f"{self.path} {dict(self.headers)}")
            message = next(self.server.script)(request["messages"])
            status, body = 200, {"choices": [{"message": {"role": "assistant", **message}}]}
        except (AssertionError, StopIteration) as error:
            self.server.problems.append(repr(error))
            status, body = 500, {"error": repr(error)}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def call(code, id):
    return {"id": id, "type": "function", "function": {"name": "run_python", "arguments": json.dumps({"code": code})}}


class Agent(Case):
    def ask(self, *script):
        model = ScriptedModel(script)
        thread = threading.Thread(target=model.serve_forever)
        thread.start()
        env = {**self.env, "CASEMATE_BINARY": casemate.BINARY, "CASEMATE_PYTHON": PYTHON, "OPENAI_BASE_URL": model.url,
               "OPENAI_API_KEY": "test-key", "OPENAI_MODEL": "scripted",
               "PYTHONPATH": str(casemate.REPOSITORY / "sdk" / "python" / "src")}
        try:
            done = subprocess.run(
                [sys.executable, casemate.REPOSITORY / "examples" / "agent" / "data_analysis_agent.py", DATA,
                 "Which field has changed most?", "--output", self.place / "out"],
                env=env, capture_output=True, text=True, timeout=180)
        finally:
            model.shutdown()
            thread.join()
            model.server_close()
        self.assertEqual(model.problems, [])
        return done, model.requests

    def test_corrects_its_program_and_draws(self):
        def first(messages):
            assert messages[0]["role"] == "system" and "degrees_women_usa.csv" in messages[0]["content"]
            assert "Which field has changed most?" in messages[1]["content"] and "Agriculture" in messages[1]["content"]
            return {"content": "I look at the largest change.", "tool_calls": [call(WRONG, "call-1")]}

        def second(messages):
            told = messages[-1]
            assert (told["role"], told["tool_call_id"]) == ("tool", "call-1"), told
            assert told["content"].startswith("status: error"), told
            assert "KeyError: 'Informatics'" in told["content"], told
            return {"content": None, "tool_calls": [call(RIGHT, "call-2")]}

        def third(messages):
            told = messages[-1]["content"]
            assert "A picture was drawn and saved as plot-1.png." in told, told
            figure = told.split("largest change: ")[1].splitlines()[0]
            return {"content": f"It is {figure}."}

        done, requests = self.ask(first, second, third)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(requests[0]["tools"][0]["function"]["name"], "run_python")
        self.assertIn("model: I look at the largest change.", done.stdout)
        self.assertRegex(done.stdout, r"model: It is [A-Z].* \d+\.\d\.")
        self.assertEqual((self.place / "out" / "plot-1.png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")

    def test_calls_that_make_no_sense_are_told_to_the_model(self):
        wrong = [{"id": "1", "function": {"name": "rm", "arguments": "{}"}},
                 {"id": "2", "function": {"name": "run_python", "arguments": "{nonsense"}},
                 {"id": "3", "function": {"name": "run_python", "arguments": '{"code": "x", "secrets": {}}'}},
                 {"id": "4", "function": {"name": "run_python", "arguments": '{"code": "print(1)", "args": 7}'}}]

        def last(messages):
            told = [message["content"] for message in messages[-4:]]
            for text, word in zip(told, ("no tool 'rm'", "not JSON", "takes an object with", '"args"')):
                assert text.startswith("error: ") and word in text, told
            return {"content": "I give up."}

        done, _ = self.ask(lambda _: {"tool_calls": wrong}, last)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_endpoint_that_fails(self):
        model = ScriptedModel([])
        env = {**self.env, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "CASEMATE_BINARY": casemate.BINARY,
               "PYTHONPATH": str(casemate.REPOSITORY / "sdk" / "python" / "src")}
        model.server_close()
        done = subprocess.run([sys.executable, casemate.REPOSITORY / "examples" / "agent" / "data_analysis_agent.py",
                               DATA, "?"], env=env, capture_output=True, text=True, timeout=60,
                              cwd=os.fspath(self.place))
        self.assertEqual(done.returncode, 1)
        self.assertIn("gave no answer", done.stderr)


if __name__ == "__main__":
    unittest.main()
