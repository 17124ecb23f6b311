"""Runs one program inside the sandbox and reports on it through its own descriptor.

Started as `python3 -I -S harness.pyc REQUEST_FD RESULT_FD`. Order of events:

    engine                                  harness
    'p' where its paths are, if not below /
    'o' options, 'c' code, 'i' input, 'g' ->  reads, closes REQUEST_FD
                                              becomes a module that nobody can import
                                          <-  'S' just before the program is compiled
                                          <-  'K' why a restricted program is refused | 'P' it may run
                                          <-  'D' each display, as it is made
                                          <-  'E' what it raised | 'R' its result | 'X' why there is none
                                          <-  'T' timings, 'Z' nothing more follows from the harness
                                              threads are joined, atexit runs, as Python does
                                          <-  'Q' with this exit code, if the interpreter has nothing more to
                                              do: it may be ended

A warm cell whose program leaves no thread and no function at exit sends what is left from 'R' to 'Q' at once, when it
has let go of the program's objects: fewer wake-ups for the engine.

A frame is a type byte, a little-endian 32-bit length and the payload. Displays made by atexit handlers
come after 'Z'. Only the process that the engine started reports: a forked child finds the channel closed.

Every import costs start-up time, so this file uses only what any interpreter has loaded by then; the rest
(errors, result_json, displays) is read from the same folder when a program needs it. Python 3.9 and later.
"""

import atexit
import gc
import posix
import sys
import time

_NOTHING = object()  # in the place of a value that there is not
_HAS_GC = 1 << 14  # Py_TPFLAGS_HAVE_GC of a type


def _read_request(fd, keep_open=False):
    """The request's frames by type. The engine speaks first; its silence is its death."""
    frames, data = {}, bytearray()
    while True:
        while len(data) >= 5:
            end = 5 + int.from_bytes(data[1:5], "little")
            if len(data) < end:
                break
            kind, payload = bytes(data[:1]), bytes(data[5:end])
            del data[:end]
            if kind == b"g":
                if not keep_open:
                    posix.close(fd)
                return frames
            frames[kind] = payload
        chunk = posix.read(fd, 1 << 16)
        if not chunk:
            posix._exit(125)
        data += chunk


def _open_channel(fd, hold_start=False):
    """A function that sends one frame, and others behind it. Frames of several threads, or of a signal handler
    that runs in the middle of one, never mix; once the descriptor is gone they are dropped. With `hold_start`
    the frame 'S' travels with the next one: each write wakes the engine."""
    import _thread

    posix.set_inheritable(fd, False)
    lock, queue, writing, is_open, stays = _thread.RLock(), [], False, True, False

    def close():
        nonlocal is_open
        if stays:
            return
        is_open = False
        try:
            posix.close(fd)
        except OSError:
            pass

    def hold(hold_on):
        """Whether the next child of a fork is to keep the channel: a branch of a session."""
        nonlocal stays
        stays = hold_on

    def renew(descriptor):
        """The channel of a branch, which has one thread and nothing to say yet."""
        nonlocal fd, writing, is_open
        fd, writing, is_open = descriptor, False, True
        lock._at_fork_reinit()
        queue.clear()
        posix.set_inheritable(fd, False)

    posix.register_at_fork(after_in_child=close)

    def send(kind, payload=b"", tail=()):
        nonlocal writing, is_open
        if not is_open:
            return
        queue.append(kind + len(payload).to_bytes(4, "little") + payload)
        for also, more in tail:
            queue.append(also + len(more).to_bytes(4, "little") + more)
        if hold_start and kind == b"S":
            return
        with lock:
            if writing:
                return
            writing = True
            try:
                if len(queue) > 1:
                    queue[:] = [b"".join(queue)]
                while queue:
                    written = posix.write(fd, queue[0])
                    queue[0] = queue[0][written:]
                    if not queue[0]:
                        del queue[0]
            except OSError:
                is_open = False
            finally:
                writing = False

    send.hold, send.renew = hold, renew
    return send


def _part_loader(folder, suffix):
    """A function that runs another file of this folder, once, as a module outside sys.modules."""
    parts = {}

    def part(name):
        if name not in parts:
            path = f"{folder}/{name}{suffix}"
            import _io
            with _io.open(path, "rb") as file:
                data = file.read()
            if suffix == ".pyc":
                import marshal
                code = marshal.loads(memoryview(data)[16:])
            else:
                code = compile(data, path, "exec", 0, True)
            module = type(sys)(f"casemate.{name}")
            exec(code, module.__dict__)
            parts[name] = module
        return parts[name]

    part.folder = folder
    return part


class _Quitter:
    """exit and quit: `-S` leaves out the module that makes them."""

    def __init__(self, name):
        self._name = name

    def __repr__(self):
        return f"Use {self._name}() to exit"

    def __call__(self, code=None):
        try:
            sys.stdin.close()
        except Exception:
            pass
        raise SystemExit(code)


class _Helper:
    """help, which loads pydoc only when called."""

    def __repr__(self):
        return "Type help(object) for help about object."

    def __call__(self, *args, **kwargs):
        import pydoc
        return pydoc.help(*args, **kwargs)


class _LoadHook:
    """A finder that only waits for one module, and calls `on_load` with it once it is loaded."""

    def __init__(self, awaited, on_load):
        self._awaited, self._on_load = awaited, on_load

    def find_spec(self, name, path=None, target=None):
        # matplotlib gets a backend that needs no display, unless the program has chosen one.
        if name == "matplotlib" and self._awaited == "matplotlib.pyplot":
            import os
            os.environ.setdefault("MPLBACKEND", "agg")
        if name != self._awaited:
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None and hasattr(spec.loader, "exec_module"):
                original = spec.loader.exec_module

                def exec_module(module):
                    del spec.loader.exec_module
                    original(module)
                    self._on_load(module)

                spec.loader.exec_module = exec_module
                return spec
        return None


def _seed(seed):
    """Random numbers that another run with the same seed repeats."""
    import random
    random.seed(seed)
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed(seed)
    else:
        sys.meta_path.insert(0, _LoadHook("numpy.random", lambda module: module.seed(seed)))


class _Compiled(BaseException):
    """Ends an exec() of which only the code was wanted."""


def _renamed(code, filename):
    constants = tuple(_renamed(value, filename) if type(value) is type(code) else value for value in code.co_consts)
    return code.replace(co_filename=filename, co_consts=constants)


def _compile_quickly(source, filename):
    """What compile() would return, or None when that has more to say than code. The first compile() of a process
    makes the hundred types of the ast module as well, which takes longer than all the rest of this file; exec()
    of a text uses the same compiler without them. A trace function is called with the code before any of it
    has run (sys.settrace, event "call"), and ends it there."""
    import _warnings
    mutated = getattr(_warnings, "_filters_mutated", None)
    if mutated is None or len(source) > 1 << 14:  # so many functions take as long to rename
        return None
    codes = []

    def stop(frame, event, argument):
        codes.append(frame.f_code)
        raise _Compiled

    # A warning names the program's file, which exec() does not know: it is left to compile().
    _warnings.filters.insert(0, ("error", None, Warning, None, 0))
    mutated()
    sys.settrace(stop)
    try:
        exec(source, {"__builtins__": {}})
    except (_Compiled, Exception):
        pass  # compile() finds the same error, and tells it with the file's name
    finally:
        sys.settrace(None)
        del _warnings.filters[0]
        mutated()
    try:
        return _renamed(codes[0], filename) if codes else None
    except RecursionError:
        return None


def _compile(source, filename):
    """The program's code and, where its last statement is an expression that may be worth showing, that
    expression's code by itself. The text decides first: a syntax tree costs more than it is worth when
    the last line cannot be such an expression."""
    last = source.rstrip()
    last = last[last.rfind(b"\n") + 1:]
    head = last.split(b"(", 1)[0]
    if last[:1].isspace() or last[:1] in (b"", b"#") or b"=" in head or head in (b"print", b"main", b"pass"):
        return _compile_quickly(source, filename) or compile(source, filename, "exec", 0, True), None
    tree = compile(source, filename, "exec", 0x400, True)  # ast.PyCF_ONLY_AST
    if not tree.body or type(tree.body[-1]).__name__ != "Expr":
        return compile(tree, filename, "exec", 0, True), None
    import _ast
    expression = _ast.Expression(tree.body.pop().value)
    code = compile(tree, filename, "exec", 0, True)
    return code, compile(expression, filename, "eval", code.co_flags & 0x1FE0000, True)  # its __future__s


def _without_our_frames(error):
    """What the program raised, with a traceback that begins in its own code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == _run.__code__.co_filename:
        trace = trace.tb_next
    return error.with_traceback(trace)


def _run(steps):
    """Runs functions until one raises; what it raised, without our frames in its traceback or our
    exceptions in its __context__."""
    try:
        for step in steps:
            step()
    except BaseException as error:
        return _without_our_frames(error)
    return None


def _spare_descriptor():
    """The program may have used up its descriptors, and the report needs one to load what makes it. Its
    standard input is no longer of use."""
    try:
        posix.close(posix.dup(2))
    except OSError as error:
        if error.errno == 24:  # EMFILE
            posix.close(0)


def _new_module():
    """The program's own module, which nobody can import."""
    import builtins
    module = type(sys)("__main__")
    module.__dict__.update(__builtins__=builtins, __cached__=None)
    return module


class _Stage:
    """What any program finds in its interpreter. It knows nothing of the program, so that a warm cell has it before
    there is one."""

    def __init__(self, part, send):
        import builtins
        self._part, self._send, self._displays, self._bytes_max = part, send, [], 0
        self.module = _new_module()

        def display(*values):
            """Shows values (tables, figures, anything with a _repr_*_ method) beside the program's output."""
            for value in values:
                self.shower().show(value)

        builtins.display = display
        builtins.exit, builtins.quit, builtins.help = _Quitter("exit"), _Quitter("quit"), _Helper()
        if "matplotlib.pyplot" in sys.modules:  # a warm cell's
            self.shower().take_over_show(sys.modules["matplotlib.pyplot"])
        else:
            # pyplot's show() sends the open figures whatever the backend.
            sys.meta_path.insert(
                0, _LoadHook("matplotlib.pyplot", lambda pyplot: self.shower().take_over_show(pyplot)))
        try:
            # A killed program keeps the lines that it printed.
            sys.stdout.reconfigure(line_buffering=True)
        except Exception:
            pass

    def shower(self):
        """Made with the first display."""
        if not self._displays:
            self._displays.append(
                self._part("displays").Displays(self._send, self._bytes_max, self._part("result_json")))
        return self._displays[0]

    def renew(self, bytes_max):
        """For a program, or the next step of a session."""
        self._bytes_max = bytes_max
        for displays in self._displays:
            displays.renew(bytes_max)


def _prepare(options, frames, part, stage):
    """An interpreter that looks as if it had been started with the program; the namespace of its module."""
    stage.renew(options["displays_bytes_max"])
    sys.argv = list(options["argv"])
    sys.orig_argv = [sys.executable, *sys.argv]
    if options.get("prefix"):  # of a virtual environment, which `python -S` does not look for
        sys.prefix = sys.exec_prefix = options["prefix"]
    sys.path[:] = [frames.get(b"p", b"").decode() + "/workspace", *(options["sys_path"] or sys.path)]
    if "seed" in options:
        _seed(options["seed"])
    module, stage.module = stage.module, None  # nothing of ours holds it when the interpreter ends
    namespace = module.__dict__
    namespace["__file__"] = options["filename"]
    # pop: the input's text would count towards the program's memory as long as it runs
    namespace["INPUT_DATA"] = part("result_json").parse(frames.pop(b"i")) if b"i" in frames else None
    sys.modules["__main__"] = module
    return namespace


def _exit_code(error):
    """The exit code that Python gives for `error`, or None when the interpreter itself must find it."""
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        return 0 if error.code is None else error.code & 0xFF if type(error.code) is int else None
    return None if isinstance(error, KeyboardInterrupt) else 1


def _wind_up():
    """What an interpreter does at its end that a program can see: joins threads, runs atexit's functions."""
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    atexit._run_exitfuncs()


def _let_go(namespace):
    """And lets go of the program's objects, writes out what is buffered."""
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if name in sys.__dict__:
            setattr(sys, name, None)
    for name in list(namespace):
        if name[:1] == "_" and name[1:2] != "_":
            namespace[name] = None
    for name in list(namespace):
        if name != "__builtins__":
            namespace[name] = None
    gc.collect()
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        stream.flush()


def _has_own_end(modules):
    """Whether a C extension is among them that may have buffers which only exit(3) writes; the interpreter's own are
    known to have none."""
    own = f"{sys.platlibdir}/python{sys.version_info[0]}.{sys.version_info[1]}/lib-dynload/"
    for module in modules:
        file = getattr(module, "__file__", None)
        if type(file) is str and file[-3:] == ".so" and (own not in file or module.__name__ == "_ctypes"):
            return True
    return False


def _nothing_is_left():
    """Whether the interpreter's own end would finalize nothing that anybody sees: what modules still hold, files with
    unwritten text, suspended generators, objects with __del__."""
    objects = gc.get_objects()
    kinds = {kind for kind in set(map(type, objects)) if hasattr(kind, "__del__") or issubclass(kind, type)}
    kept = [value for value in objects if type(value) in kinds] if kinds else ()
    standard = [sys.__stdin__, sys.__stdout__, sys.__stderr__]
    buffers = [getattr(stream, "buffer", None) for stream in standard]
    known = {id(value) for value in (*standard, *buffers, *(getattr(buffer, "raw", None) for buffer in buffers))}
    for value in kept:
        if not isinstance(value, type):
            if id(value) not in known:
                return False
        # Objects that can refer to no other are not the collector's: there may be some of this class.
        elif not value.__flags__ & _HAS_GC and type(getattr(value, "__del__", None)) is type(_exit_code):
            return False
    return True


def _tell_end(error, namespace, tail, send, *, tail_first=True, wind_up=True, has_own_end=None, flush=None):
    """Sends `tail` (before all else, if `tail_first`), and the program's end after all that anybody can see of it; not
    where the interpreter's own end has more to do, or says it better. Whether it was told: who is not ended then ends
    as any interpreter does. `wind_up`: threads are joined and functions at exit called."""
    code = _exit_code(error)
    try:
        if code is not None:
            if tail_first:
                told, tail = tail, []
                send(*told[0], told[1:])
            if wind_up:
                _wind_up()
            _let_go(namespace)
            if flush is not None:
                flush()
            if not (has_own_end() if has_own_end else _has_own_end(list(sys.modules.values()))) and _nothing_is_left():
                told, tail = [*tail, (b"Q", bytes((code,)))], []
                send(*told[0], told[1:])
                return True
    except BaseException:
        pass
    if tail:
        send(*tail[0], tail[1:])
    return False


def _main():
    folder, _, name = sys.argv[0].rpartition("/")
    frames = _read_request(int(sys.argv[1]))
    begin = time.perf_counter_ns()  # a sandbox that was started before it was asked for has waited here
    send = _open_channel(int(sys.argv[2]))
    part = _part_loader(folder or ".", ".pyc" if name.endswith(".pyc") else ".py")
    # The engine's own JSON, without null, true and false, is a Python literal; the JSON module would
    # cost more than all the rest of this start.
    options = eval(frames[b"o"], {"__builtins__": {}})
    options["filename"] = frames.get(b"p", b"").decode() + options["filename"]
    status, namespace, tail = _execute(begin, options, frames, send, part, _Stage(part, send))
    _tell_end(status, namespace, tail, send)
    return status


def _execute(begin, options, frames, send, part, stage):
    """Runs the program to the end of its main module. What it ended with, its module's namespace, and the frames
    that are still to be sent."""
    clock = time.perf_counter_ns
    namespace = _prepare(options, frames, part, stage)
    send(b"S")  # before the compiler, which the program's text can keep as busy as its code the interpreter
    compile_at = clock()
    error = code = last = None
    shown = _NOTHING
    try:
        if "restricted" in options:
            code, last = part("restricted").compile_program(part, options, frames[b"c"])
            namespace = part("restricted").guarded(part, options, namespace)
            send(b"P")
        else:
            code, last = _compile(frames[b"c"], options["filename"])
    except BaseException as raised:
        error = _without_our_frames(raised)
    run_at = clock()
    if error is None:
        try:
            exec(code, namespace)
            if last is not None:
                shown = eval(last, namespace)
        except BaseException as raised:
            error = _without_our_frames(raised)
    elif "restricted" in options and isinstance(error, part("restricted").Refused):
        send(b"K", part("result_json").to_bytes(error.findings))
        return None, namespace, [(b"Z", b"")]
    report_at = clock()
    _spare_descriptor()

    status = error
    if error is not None:
        if not isinstance(error, SystemExit):
            status = part("errors").report(error, send, part("result_json"), _run)
        elif not isinstance(error.code, (int, type(None))):
            part("errors").tell(error, "", send, part("result_json"))
    tail = _report_values(error, shown, namespace, options, part, stage.shower)
    tail.append((b"T", b'{"python.prepare":%d,"python.compile":%d,"python.run":%d,"python.report":%d}' % (
        (compile_at - begin) // 1000, (run_at - compile_at) // 1000, (report_at - run_at) // 1000,
        (clock() - report_at) // 1000)))
    tail.append((b"Z", b""))
    return status, namespace, tail


def _report_values(error, shown, namespace, options, part, shower):
    """Shows displays, also of a program that failed: what it drew until then helps to see why. Returns the frame of
    its result, if any: only of one that ended as it meant to, the value of `result` when its last statement has
    run."""
    result = namespace.get("result")
    ended = error is None or isinstance(error, SystemExit)
    if shown is not _NOTHING and type(shown).__module__ != "builtins":
        _run([lambda: shower().show_last(shown)])
    if "matplotlib.pyplot" in sys.modules:
        _run([lambda: shower().show_open_figures()])
    if ended and "pandas" in sys.modules and shown is not result:
        _run([lambda: shower().show_table(result)])
    if ended and "result" in namespace:
        return [part("result_json").result_frame(result, options["result_bytes_max"], options["result_depth_max"])]
    return []


def _end(error):
    """Leaves with the exit status that Python gives for `error`."""
    if error is None:
        return
    if isinstance(error, (SystemExit, KeyboardInterrupt)):
        if isinstance(error, KeyboardInterrupt):
            sys.excepthook = lambda *args: None  # the traceback is already printed
        raise error
    raise SystemExit(1)


if __name__ == "__main__":
    _end(_main())
