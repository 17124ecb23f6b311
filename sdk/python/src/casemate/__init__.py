"""Casemate: runs Python that nobody has read yet, each program in a fresh sandbox.

    from casemate import Sandbox

    with Sandbox(memory="128m", timeout=10) as sandbox:
        result = sandbox.run("print('hello'); result = INPUT_DATA['n'] + 1", input={"n": 41})
        print(result.status, result.stdout, result.result)
"""

from __future__ import annotations

from ._audit import AuditRun
from ._embedded import EngineOptions, find_binary
from ._embedded import stop_all as stop_engines
from ._environments import EnvironmentInfo
from ._request import RunOptions
from ._session_calls import CheckpointInfo, FileChange, FileInfo, SessionInfo
from .async_sandbox import AsyncSandbox
from .async_session import AsyncFiles, AsyncSession
from .decorator import NotSandboxable, sandboxed
from .errors import (CasemateError, ConnectionFailed, ConnectionLost, EngineFailed, EngineStartError, NotFound,
                     RequestRefused, RunError, TooBusy, Unauthorized)
from .events import Denied, Displayed, Event, Failed, Finished, Started, Stderr, Stdout, Valued
from .results import (Denial, Display, Enforced, Finding, Isolation, NotEnforced, OutputFile, PassedOver, ProgramError,
                      Redaction, Result, SessionStep, Timing, Truncated, Usage)
from .sandbox import Sandbox
from .session import Files, Session

__version__ = "0.1.0"

__all__ = [
    "AsyncFiles",
    "AsyncSandbox",
    "AsyncSession",
    "AuditRun",
    "CasemateError",
    "ConnectionFailed",
    "ConnectionLost",
    "CheckpointInfo",
    "Denial",
    "Denied",
    "Display",
    "Displayed",
    "Enforced",
    "EngineFailed",
    "EngineOptions",
    "EngineStartError",
    "EnvironmentInfo",
    "Event",
    "Failed",
    "FileChange",
    "FileInfo",
    "Files",
    "Finding",
    "Finished",
    "Isolation",
    "NotEnforced",
    "NotFound",
    "NotSandboxable",
    "OutputFile",
    "PassedOver",
    "ProgramError",
    "Redaction",
    "RequestRefused",
    "Result",
    "RunError",
    "RunOptions",
    "Sandbox",
    "Session",
    "SessionInfo",
    "SessionStep",
    "Started",
    "Stderr",
    "Stdout",
    "Timing",
    "TooBusy",
    "Truncated",
    "Unauthorized",
    "Usage",
    "Valued",
    "find_binary",
    "sandboxed",
    "stop_engines",
]
