#!/usr/bin/env python3
"""An agent that answers a question about a CSV file with code that it writes, runs in a sandbox, and corrects.

    OPENAI_API_KEY=... examples/agent/data_analysis_agent.py data.csv "Which field has changed most? Draw it."

It talks to any endpoint that is compatible with OpenAI's Chat Completions (OPENAI_BASE_URL, OPENAI_MODEL) and needs the
casemate package (`make wheel`), and nothing else. The model is told the columns and a few rows and asked for a plan; it
calls run_python, sees output, errors and refusals, corrects its program, and ends with an answer. Plots are saved.
"""

import argparse
import json
import os
import pathlib
import sys
import urllib.error
import urllib.request

from casemate import CasemateError, Sandbox, tools

SYSTEM = """You are a careful data analyst. First say in two or three sentences what you are going to do. Then call
run_python: the data is in the file {name} in the working folder. Each call is a fresh interpreter, so give the
whole program. Print the figures that you need; draw with matplotlib when a picture helps (figures are shown by
themselves). If a call fails, read the error, correct the program and call again. End with a short answer that rests
on printed figures."""
STEPS_MAX = 8
SAMPLE_LINES = 6


class Model:
    """An endpoint of Chat Completions."""

    def __init__(self, base_url, api_key, name):
        self.url = base_url.rstrip("/") + "/chat/completions"
        self.headers = {"Content-Type": "application/json"}
        if api_key:
            self.headers["Authorization"] = f"Bearer {api_key}"
        self.name = name

    def ask(self, messages):
        """The model's next message."""
        body = json.dumps({"model": self.name, "messages": messages, "tools": tools.openai(["run_python"])}).encode()
        request = urllib.request.Request(self.url, body, self.headers)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)["choices"][0]["message"]


class Agent:
    """One question about one file."""

    def __init__(self, model, sandbox, data, output):
        self.model, self.sandbox, self.data, self.output = model, sandbox, data, output
        self.plots = []

    def run(self, question):
        """The answer, or None when there is none after STEPS_MAX steps."""
        sample = "".join(self.data.read_text(encoding="utf-8", errors="replace").splitlines(True)[:SAMPLE_LINES])
        messages = [{"role": "system", "content": SYSTEM.format(name=self.data.name)},
                    {"role": "user", "content": f"{question}\n\nThe first lines of {self.data.name}:\n{sample}"}]
        for _ in range(STEPS_MAX):
            message = self.model.ask(messages)
            messages.append(message)
            calls = message.get("tool_calls") or []
            if message.get("content"):
                print(f"model: {message['content']}")
            if not calls:
                return message.get("content")
            for call in calls:
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": self.call(call["function"])})
        return None

    def call(self, function):
        """What the model is told of one call."""
        try:
            options = tools.options_of_call(function["name"], function["arguments"])
            # The data goes into every sandbox; limits and everything else are the agent's and not the model's.
            options["files"] = {self.data.name: self.data}
            result = self.sandbox.run(**options)
        except (ValueError, CasemateError) as error:
            # The model can correct what it wrote; what is Casemate's own is told as well, and seen here.
            print(f"refused: {error}")
            return f"error: {error}"
        told = tools.readable_text(result)
        for display in result.displays:
            if display.png:
                path = self.output / f"plot-{len(self.plots) + 1}.png"
                path.write_bytes(display.png)
                self.plots.append(path)
                told += f"\nA picture was drawn and saved as {path.name}."
        print(f"ran: {result.summary()}")
        return told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=pathlib.Path)
    parser.add_argument("question")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("."), help="where plots are saved")
    options = parser.parse_args()
    if not options.csv.is_file():
        parser.error(f"{options.csv} is not there")
    options.output.mkdir(parents=True, exist_ok=True)
    model = Model(os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"), os.environ.get("OPENAI_API_KEY"),
                  os.environ.get("OPENAI_MODEL", "gpt-4o-mini"))
    with Sandbox(memory="512m", timeout=60, pids_limit=32) as sandbox:
        agent = Agent(model, sandbox, options.csv, options.output)
        try:
            answer = agent.run(options.question)
        except (urllib.error.URLError, KeyError, ValueError) as error:
            sys.exit(f"the model at {model.url} gave no answer that can be used: {error}")
    if answer is None:
        sys.exit(f"there is no answer after {STEPS_MAX} steps")
    for path in agent.plots:
        print(f"saved {path}")


if __name__ == "__main__":
    main()
