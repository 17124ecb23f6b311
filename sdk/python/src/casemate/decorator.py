"""`@sandboxed()`: a function whose body runs in a fresh sandbox.

Its source text is what is sent, with its arguments as JSON, and JSON is what comes back; nothing is pickled. So it can
use what it is given, what it imports itself and what Python has built in. That it uses something else (a closure, a
name of its module) is found when it is decorated, not in the sandbox.
"""

from __future__ import annotations

import ast
import builtins
import dis
import functools
import inspect
import os
import textwrap
from types import CodeType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Set, Tuple, TypeVar, cast

from ._request import RunOptions
from .async_sandbox import AsyncSandbox
from .sandbox import Sandbox

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["NotSandboxable", "sandboxed"]

F = TypeVar("F", bound=Callable[..., Any])


class NotSandboxable(TypeError):
    """A function, argument or result that cannot be told as text and JSON."""


def sandboxed(sandbox: Optional[Sandbox] = None, **options: Unpack[RunOptions]) -> Callable[[F], F]:
    """Makes a function run in a fresh sandbox at each call: `@sandboxed(memory="128m", timeout=5)`.

    `options` are those of `Sandbox.run`; `sandbox` is where it runs (by default one that is made at the first call).
    A coroutine function stays one and is run by an AsyncSandbox. Raises NotSandboxable here for a function that cannot
    be sent, and at a call for arguments that are not JSON; a call raises RunError when its run is not `ok`.
    """

    def decorate(function: F) -> F:
        code, name = _program(function)
        signature = inspect.signature(function)
        fixed: Dict[str, Any] = {"code_name": name, **options}

        if inspect.iscoroutinefunction(function):
            if sandbox is not None:
                raise NotSandboxable(f"{function.__name__} is a coroutine function, which a Sandbox cannot wait for: "
                                     "leave out the sandbox")
            asynchronous = functools.lru_cache(maxsize=1)(AsyncSandbox)

            @functools.wraps(function)
            async def call_later(*args: Any, **kwargs: Any) -> Any:
                given = _arguments(function.__name__, signature, args, kwargs)
                return (await asynchronous().run(code, input=given, **fixed)).raise_for_status().result

            return cast(F, call_later)

        waiting = functools.lru_cache(maxsize=1)(lambda: sandbox or Sandbox())

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            given = _arguments(function.__name__, signature, args, kwargs)
            return waiting().run(code, input=given, **fixed).raise_for_status().result

        return cast(F, call)

    return decorate


def _program(function: Callable[..., Any]) -> Tuple[str, str]:
    """The program that calls `function` with INPUT_DATA, and the file name that its tracebacks show."""
    name = getattr(function, "__name__", repr(function))
    if not inspect.isfunction(function) or name == "<lambda>":
        raise NotSandboxable(f"{name} is no function that was written with def: put what it does into one")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise NotSandboxable(f"{name} is a generator, and its result would not be data: return a list")
    _refuse_outside_names(function)
    try:
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError) as error:
        raise NotSandboxable(f"the source of {name} is not to be found: write it in a file or a notebook cell") \
            from error
    node = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        raise NotSandboxable(f"the source of {name} is not a def of its own")
    _refuse_computed_defaults(name, node)
    body = textwrap.dedent("".join(lines[node.lineno - 1:]))
    # Annotations are not evaluated, decorators are left out, and lines keep their numbers in tracebacks.
    padding = "\n" * max(first + node.lineno - 3, 0)
    call = f"{node.name}(*INPUT_DATA['args'], **INPUT_DATA['kwargs'])"
    if inspect.iscoroutinefunction(function):
        call = f"__import__('asyncio').run({call})"
    return (f"from __future__ import annotations\n{padding}{body}\nresult = {call}\n",
            os.path.basename(function.__code__.co_filename) or "function.py")


def _refuse_outside_names(function: Callable[..., Any]) -> None:
    name = function.__name__
    # A function in a function that calls itself finds itself in the sandbox too.
    free = [used for used in function.__code__.co_freevars if used != name]
    if free:
        raise NotSandboxable(f"{name} is a closure over {', '.join(free)}: hand it in as an argument")
    outside = sorted(used for used in _globals_of(function.__code__)
                     if used != name and not hasattr(builtins, used))
    if outside:
        kinds = [f"import {used} inside {name}" if inspect.ismodule(function.__globals__.get(used)) else
                 f"hand {used} in as an argument, or define it inside {name}" for used in outside]
        raise NotSandboxable(f"{name} uses {', '.join(outside)} of its module, which the sandbox does not have: "
                             f"{'; '.join(kinds)}")


def _globals_of(code: CodeType) -> Set[str]:
    """The global names that are read in `code` and the functions in it, without those that it sets itself."""
    read: Set[str] = set()
    written: Set[str] = set()
    todo: List[CodeType] = [code]
    while todo:
        part = todo.pop()
        for instruction in dis.get_instructions(part):
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                read.add(str(instruction.argval))
            elif instruction.opname in ("STORE_GLOBAL", "STORE_NAME"):
                written.add(str(instruction.argval))
        todo += [constant for constant in part.co_consts if isinstance(constant, CodeType)]
    # What every class body reads.
    return read - written - {"__name__"}


def _refuse_computed_defaults(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    for default in [*node.args.defaults, *(value for value in node.args.kw_defaults if value is not None)]:
        try:
            ast.literal_eval(default)
        except (ValueError, TypeError, SyntaxError):
            raise NotSandboxable(f"{name} has the default {ast.unparse(default)}, which the sandbox would have to "
                                 "compute: write a constant") from None


def _arguments(name: str, signature: inspect.Signature, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
    bound = signature.bind(*args, **kwargs)
    for argument, value in bound.arguments.items():
        _check_json(f"the argument {argument} of {name}", value)
    return {"args": list(bound.args), "kwargs": bound.kwargs}


def _check_json(what: str, value: Any, depth: int = 0) -> None:
    """json.dumps would turn some keys and types into others without a word."""
    if value is None or isinstance(value, (str, bool, int)):
        return
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise NotSandboxable(f"{what} has {value!r}, which is not JSON: give null or a text")
        return
    if depth > 200:
        raise NotSandboxable(f"{what} is nested too deeply, or contains itself")
    if isinstance(value, (list, tuple)):
        for item in value:
            _check_json(what, item, depth + 1)
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise NotSandboxable(f"{what} has the key {key!r}; in JSON keys are texts")
            _check_json(what, item, depth + 1)
        return
    raise NotSandboxable(f"{what} has a {type(value).__name__}, which is not JSON: hand in numbers, texts, lists and "
                         "dicts (a file's bytes go in files=)")
