"""The embedded engine: a `casemate serve` of this process's own, on a private socket.

It is started when the first program is run, and shared by all sandboxes that want the same. It ends with this process
however that ends: the engine watches the other end of its stdin (`--lifeline`), which only this process holds. A child
made by fork(2) lets go of it at once and starts an engine of its own when it needs one.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Dict, Optional, Sequence, Tuple

from ._endpoint import Endpoint, parse_url
from .errors import EngineStartError

__all__ = ["EmbeddedEngine", "EngineOptions", "find_binary", "stop_all"]

_START_S = 30.0
_STOP_S = 10.0
# sun_path holds 107 bytes, and the socket's lock is named after it.
_FOLDER_MAX = 80


@dataclass(frozen=True)
class EngineOptions:
    """How the embedded engine is started."""

    python: Optional[str] = None  # the sandbox's interpreter; by default the one that runs this
    preload: Tuple[str, ...] = ()  # modules that warm cells have imported
    pool_size: int = 4  # waiting cells; 0: every run starts cold
    state_dir: Optional[str] = None


def find_binary() -> str:
    """The `casemate` program: $CASEMATE_BINARY, the one in this package, or the first in PATH."""
    named = os.environ.get("CASEMATE_BINARY")
    if named:
        # The engine is started in another folder.
        return os.path.abspath(named)
    bundled = Path(__file__).with_name("_bin") / "casemate"
    if bundled.exists():
        return str(bundled)
    found = shutil.which("casemate")
    if found is None:
        raise EngineStartError("there is no casemate program: install the wheel that carries it, set CASEMATE_BINARY, "
                               "or set CASEMATE_URL to a server")
    return os.path.abspath(found)


class EmbeddedEngine:
    """One engine; threads may share it."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._folder = ""
        self._endpoint: Optional[Endpoint] = None

    def known(self) -> Optional[Endpoint]:
        """Where it listens, if it does."""
        process, endpoint = self._process, self._endpoint
        return endpoint if process is not None and process.poll() is None else None

    def find(self) -> Endpoint:
        """Where it listens; starts it when it is not there. Raises EngineStartError."""
        endpoint = self.known()
        if endpoint is not None:
            return endpoint
        with self._lock:
            endpoint = self.known()
            if endpoint is None:
                self._clean_up()
                endpoint = self._start()
            return endpoint

    @property
    def pid(self) -> Optional[int]:
        """Its process, while it is there."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def stop(self) -> None:
        """Ends it, with whatever it runs."""
        with self._lock:
            self._clean_up()

    def abandon(self) -> None:
        """Forgets it in a child of fork(2): it is the parent's, who must remain the only one to hold it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            # Otherwise its destructor waits for a process that is no child of this one.
            self._process.returncode = 0
        self._lock = threading.Lock()
        self._process, self._folder, self._endpoint = None, "", None

    def _start(self) -> Endpoint:
        self._folder = _private_folder()
        path = os.path.join(self._folder, "engine.sock")
        with tempfile.TemporaryFile() as log:
            try:
                self._process = subprocess.Popen(
                    [find_binary(), "serve", "--socket", path, "--lifeline", "0", *self._flags()],
                    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log, cwd="/",
                    # A Ctrl-C at the terminal is for this process, which ends the engine in its own time.
                    start_new_session=True)
                self._wait(self._process, path, log)
            except OSError as error:
                self._clean_up()
                raise EngineStartError(f"casemate cannot be started: {error}") from error
            except BaseException:
                self._clean_up()
                raise
        self._endpoint = parse_url(f"unix:{path}")
        return self._endpoint

    def _flags(self) -> Sequence[str]:
        options = self._options
        python = options.python or os.environ.get("CASEMATE_PYTHON") or sys.executable
        flags = ["--pool-size", str(options.pool_size)]
        if python:
            flags += ["--python", python]
        if options.preload:
            flags += ["--preload", ",".join(options.preload)]
        if options.state_dir:
            flags += ["--state-dir", options.state_dir]
        return flags

    @staticmethod
    def _wait(process: subprocess.Popen[bytes], path: str, log: IO[bytes]) -> None:
        deadline = time.monotonic() + _START_S
        pause = 0.001
        while True:
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                    probe.connect(path)
                    return
            except OSError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                said = log.read(4096).decode("utf-8", "replace").strip()
                why = "ended at once" if process.poll() is not None else f"did not answer within {_START_S:.0f} s"
                raise EngineStartError(f"the embedded engine {why}: {said or 'it said nothing'}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)

    def _clean_up(self) -> None:
        process, self._process, self._endpoint = self._process, None, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""


def _private_folder() -> str:
    """A new folder of mode 0700 whose path leaves room for a socket's name."""
    folder = tempfile.mkdtemp(prefix="casemate-")
    if len(os.fsencode(folder)) <= _FOLDER_MAX:
        return folder
    os.rmdir(folder)
    return tempfile.mkdtemp(prefix="casemate-", dir="/tmp")


_engines: Dict[EngineOptions, EmbeddedEngine] = {}
_engines_lock = threading.Lock()


def shared(options: EngineOptions) -> EmbeddedEngine:
    """The engine of this process for `options`."""
    with _engines_lock:
        return _engines.setdefault(options, EmbeddedEngine(options))


def stop_all() -> None:
    """Ends all embedded engines of this process; a later run starts a new one."""
    with _engines_lock:
        engines = list(_engines.values())
    for engine in engines:
        engine.stop()


def _after_fork() -> None:
    global _engines_lock
    _engines_lock = threading.Lock()
    for engine in _engines.values():
        engine.abandon()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(stop_all)
