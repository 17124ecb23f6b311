"""Casemate as a tool of a language model: the definitions in each common format, and what a call of one does.

There is one place for them, `tools.json`, which `casemate mcp` gives to its clients too.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Union, cast

from .results import Result

__all__ = ["RUN_TOOLS", "anthropic", "mcp", "openai", "openai_responses", "options_of_call", "readable_text"]

# Those that `options_of_call` understands.
RUN_TOOLS = ("run_python", "run_command")

_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")


@lru_cache(maxsize=1)
def _all() -> List[Dict[str, Any]]:
    text = Path(__file__).with_name("tools.json").read_text(encoding="utf-8")
    return cast(List[Dict[str, Any]], json.loads(text))


def mcp(names: Sequence[str] = RUN_TOOLS) -> List[Dict[str, Any]]:
    """As `tools/list` of the Model Context Protocol has them."""
    return [dict(tool) for tool in _all() if tool["name"] in names]


def anthropic(names: Sequence[str] = RUN_TOOLS) -> List[Dict[str, Any]]:
    """As `tools` of Anthropic's Messages API takes them."""
    return [{"name": tool["name"], "description": tool["description"], "input_schema": tool["inputSchema"]}
            for tool in mcp(names)]


def openai(names: Sequence[str] = RUN_TOOLS) -> List[Dict[str, Any]]:
    """As `tools` of OpenAI's Chat Completions, and of all that are compatible with it, takes them."""
    return [{"type": "function", "function": {"name": tool["name"], "description": tool["description"],
                                              "parameters": tool["inputSchema"]}} for tool in mcp(names)]


def openai_responses(names: Sequence[str] = RUN_TOOLS) -> List[Dict[str, Any]]:
    """As `tools` of OpenAI's Responses API takes them."""
    return [{"type": "function", **tool["function"]} for tool in openai(names)]


def options_of_call(name: str, arguments: Union[str, Mapping[str, Any]]) -> Dict[str, Any]:
    """The keyword arguments of `Sandbox.run` for a call of a tool, whose arguments a model wrote (as an object or as
    JSON). Raises ValueError with a sentence that the model can be told.
    """
    if name not in RUN_TOOLS:
        raise ValueError(f"there is no tool {name!r}; there are {', '.join(RUN_TOOLS)}")
    try:
        given = json.loads(arguments) if isinstance(arguments, str) else dict(arguments)
    except ValueError as error:
        raise ValueError(f"the arguments of {name} are not JSON: {error}") from error
    properties = mcp([name])[0]["inputSchema"]["properties"]
    if not isinstance(given, dict) or not set(given) <= set(properties):
        raise ValueError(f"{name} takes an object with {', '.join(properties)}")
    options: Dict[str, Any] = {}
    for key, value in given.items():
        if key == "timeout_seconds":
            options["timeout"] = _number(key, value)
        elif key == "memory_mb":
            options["memory"] = int(_number(key, value) * 1024 * 1024)
        elif key in ("code", "command"):
            options[key] = value
        else:
            # Read by the engine, which says what is wrong with it.
            options.setdefault("extra", {})[key] = value
    if "code" not in options and "command" not in options:
        raise ValueError(f"{name} needs {'code' if name == 'run_python' else 'command'}")
    if not isinstance(options.get("code", ""), str) or not isinstance(options.get("command", []), list):
        raise ValueError("code is a text, and command is a list of texts")
    return options


def _number(name: str, value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} is a number above 0")
    return value


def readable_text(result: Result) -> str:
    """What a model reads of a result: the text that `casemate mcp` gives for it."""
    text = "" if result.ok else f"status: {result.status}\n"
    if result.exit_code:
        text += f"exit code: {result.exit_code}\n"

    parts = [("", result.stdout), ("stderr:\n", result.stderr)]
    if result.result is not None:
        parts.append(("result: ", json.dumps(result.result, ensure_ascii=False, separators=(",", ":"))))
    parts += [("display: ", display.text or "") for display in result.displays
              if not any(mime in display.data for mime in _PICTURES)]
    if result.error is not None:
        parts += [("error: ", f"{result.error.type}: {result.error.message}"), ("hint: ", result.error.hint)]
    parts += [("", f"line {finding.line}: {finding.reason}: {finding.remedy}") for finding in result.findings]
    parts += [("refused: ", f"{denial.kind} {denial.what}: {denial.remedy}") for denial in result.denials]
    parts += [("file: ", f"{file.name} ({file.size_bytes} bytes)") for file in result.files]
    for title, part in parts:
        if part:
            text += ("" if not text or text.endswith("\n") else "\n") + title + part
    return text or "It ended without output."
