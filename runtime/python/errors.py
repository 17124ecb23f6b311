"""Reports what a program raised: on stderr as Python does, and to the engine."""

import sys

_TEXT_MAX = 1 << 16  # characters of a traceback or message that travel; stderr gets all of it


def _cut(text):
    if len(text) > _TEXT_MAX:
        half = _TEXT_MAX // 2
        text = f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode()


class _Collector:
    """Stands in for sys.stderr while the interpreter formats an exception, which it does much faster than
    the traceback module and without importing it."""

    encoding, errors = "utf-8", "backslashreplace"

    def __init__(self):
        self.parts = []

    def write(self, text):
        self.parts.append(text)

    def flush(self):
        pass


def _format(error):
    stream, collector = getattr(sys, "stderr", None), _Collector()
    sys.stderr = collector
    try:
        sys.__excepthook__(type(error), error, error.__traceback__)
    except BaseException:
        pass  # what was written until then still tells most of it
    finally:
        sys.stderr = stream
    return "".join(collector.parts)


def _print_error(text):
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except Exception:
        pass  # the program closed or replaced it


def report(error, send, json, run):
    """What Python does with an uncaught exception; then the 'E' frame. Returns what the process ends with:
    `error`, or the SystemExit that the program's own sys.excepthook raised."""
    trace = error.__traceback__
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    text, status = _format(error), error
    hook = getattr(sys, "excepthook", sys.__excepthook__)
    if hook is sys.__excepthook__:
        _print_error(text)
    else:
        broken = run([lambda: hook(type(error), error, trace)])
        if isinstance(broken, SystemExit):
            status = broken
        elif broken is not None:
            _print_error(f"Error in sys.excepthook:\n{_format(broken)}\nOriginal exception was:\n{text}")
    tell(error, text, send, json)
    return status


def tell(error, text, send, json):
    """Sends the 'E' frame: the exception's type and message, and `text`, its traceback."""
    kind = type(error)
    try:
        message = str(error)
    except BaseException:
        message = "<exception str() failed>"
    fields = {"type": _cut(kind.__qualname__ if kind.__module__ in ("builtins", "__main__")
                           else f"{kind.__module__}.{kind.__qualname__}"),
              "message": _cut(message), "traceback": _cut(text)}
    if isinstance(error, OSError) and type(error.errno) is int:
        fields["errno"] = error.errno
        if isinstance(error.filename, str):
            fields["filename"] = _cut(error.filename)
    send(b"E", json.to_bytes(fields))
