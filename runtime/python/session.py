"""The steps of a session: one interpreter in a warm cell (zygote.py), whose state stays from step to step.

    engine                                   cell
    settings, options, 'g'               ->  seals itself, becomes a module that nobody can import
                                         <-  'S' 'Z' 'Q' for step 0, which runs nothing
    'o' options, 'c' code, 'i' input,
    'g'                                  ->  compiles and runs the code in the same module
                                         <-  as for a run (harness.py), then 'Q' exit code and the session's token
    'b' count, 'g'                       ->  makes so many branches of itself; each is told to go on from
                                             outside, with channels of its own, and no one answers
    SIGINT                               ->  KeyboardInterrupt in the step that runs; between steps nothing. A
                                             step is told how many were sent before it: others are its own

A step may name a context: variables of its own in the same interpreter. The value of the last expression is the result
of a step that has not set `result` itself; where it is no JSON, it is shown instead. Nothing here is a wall: the code
of a step can change whatever this file does. What ends a step, and what it may use, is watched from outside.
"""

import posix
import sys
import time

_FUTURE = 0x1FE0000  # the compiler's flags of `from __future__ import …`
_SOURCES_MAX = 1 << 20  # bytes of former steps that tracebacks can quote
_MISSING = object()


class _State:
    running = False
    received = 0  # interrupts, in all
    expected = 0  # of those, what was sent before this step


class _Sources:
    """The text of each step, for tracebacks."""

    def __init__(self):
        self._texts, self._size = {}, 0

    def add(self, name, text):
        self._texts[name] = text
        self._size += len(text)
        while self._size > _SOURCES_MAX and len(self._texts) > 1:
            oldest = next(iter(self._texts))
            self._size -= len(self._texts.pop(oldest))
        if "linecache" in sys.modules:
            self.publish()

    def publish(self):
        import linecache
        for name, text in self._texts.items():
            linecache.cache[name] = (len(text), None, text.decode("utf-8", "replace").splitlines(True), name)


class _Context:
    """Variables of their own, and what `from __future__` has been said to them."""

    def __init__(self, module):
        self.module, self.namespace, self.flags = module, module.__dict__, 0


def _formatter(sources, plain):
    def format_error(error):
        try:
            sources.publish()
            import traceback
            return "".join(traceback.TracebackException(type(error), error, error.__traceback__).format())
        except BaseException:
            return plain(error)
    return format_error


def _attempt(state, steps, own):
    """Runs functions until one raises; what it raised, without our frames in its traceback. An interrupt that
    comes between two of these lines is the step's too."""
    error = None
    try:
        try:
            state.running = True
            if state.received > state.expected:  # it came while the step was on its way here
                raise KeyboardInterrupt
            for step in steps:
                step()
        except BaseException as raised:
            error = raised
        state.running = False
    except KeyboardInterrupt as raised:
        error = raised if error is None else error
    state.running = False
    if error is None:
        return None
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in own:
        trace = trace.tb_next
    last = trace
    while last is not None and last.tb_next is not None:
        if last.tb_next.tb_frame.f_code.co_filename == own[-1]:  # the handler of an interrupt
            last.tb_next = None
        last = last.tb_next
    return error.with_traceback(trace)


def _is_assignment(source):
    """Whether the text is one line that sets one variable, `x = 1` or `x += 1`: its value is nobody's to show. False
    may be wrong.
    """
    line = source.rstrip()
    if b"\n" in line or b"\r" in line or b";" in line:
        return False
    target, sign, value = line.partition(b"=")
    return sign == b"=" and value[:1] != b"=" and target.rstrip(b" +-*/%&|^@").decode("latin-1").isidentifier()


def _compile(source, filename, flags):
    """Whether the text sets `result`, as a function; its code; the code of the expression that it ends with, if any.
    Most of the time that a short text takes goes into its syntax tree.
    """
    def parse():
        return compile(source, filename, "exec", 0x400 | flags, True)  # ast.PyCF_ONLY_AST

    if _is_assignment(source):
        # A name that is not ASCII may be another way to write it (NFKC).
        said = b"result" in source or not source.isascii()
        return lambda: said and _stores_result(parse()), compile(source, filename, "exec", flags, True), None
    tree, last = parse(), None
    if tree.body and type(tree.body[-1]).__name__ == "Expr":
        last = tree.body.pop().value
    code = compile(tree, filename, "exec", flags, True)
    if last is not None:
        import _ast
        last = compile(_ast.Expression(last), filename, "eval", code.co_flags & _FUTURE, True)
    return lambda: _stores_result(tree), code, last


def _stores_result(tree):
    """Whether the text sets the variable `result`, at whatever depth: asked when its value is still the same."""
    nodes = list(tree.body)
    while nodes:
        node = nodes.pop()
        if type(node).__name__ == "Name" and node.id == "result" and type(node.ctx).__name__ == "Store":
            return True
        for field in node._fields:
            value = getattr(node, field, None)
            nodes.extend(part for part in (value if isinstance(value, list) else (value,))
                         if hasattr(part, "_fields"))
    return False


def _exit_code(error):
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        return 0 if error.code is None else error.code & 0xFF if type(error.code) is int else 1
    return 130 if isinstance(error, KeyboardInterrupt) else 1


class _Session:
    def __init__(self, harness, part, send, options, frames, stage):
        self._harness, self._part, self._send = harness, part, send
        self._options, self._stage = options, stage
        self._state, self._sources = _State(), _Sources()
        self._own = (harness._run.__code__.co_filename, _attempt.__code__.co_filename)
        namespace = harness._prepare(options, frames, part, stage)
        namespace.pop("__file__", None)
        self._contexts = {"": _Context(sys.modules["__main__"])}
        errors = part("errors")
        errors._format = _formatter(self._sources, errors._format)

        def interrupt(number, frame):
            self._state.received += 1
            if self._state.running:
                raise KeyboardInterrupt
        self._interrupt = interrupt

    def _context(self, name):
        """That of a step: what is pickled or asked for by its module's name is found in its own variables."""
        context = self._contexts.get(name)
        if context is None:
            context = self._contexts[name] = _Context(self._harness._new_module())
        sys.modules["__main__"] = context.module
        return context

    def listen(self):
        """A step before this one may have asked for its interrupts itself."""
        import _signal
        if _signal.getsignal(_signal.SIGINT) is not self._interrupt:
            _signal.signal(_signal.SIGINT, self._interrupt)

    def step(self, frames, options, begin):
        """Runs one step; its exit code and the frames that tell of it."""
        context, state = self._context(options.get("context", "")), self._state
        namespace = context.namespace
        self._options.update(options)
        self._stage.renew(self._options["displays_bytes_max"])
        state.expected = options["interrupts"]
        filename = f"<step {options['step']}>"
        self._sources.add(filename, frames[b"c"])
        namespace["INPUT_DATA"] = self._part("result_json").parse(frames.pop(b"i")) if b"i" in frames else None
        before, compiled, shown = namespace.get("result", _MISSING), [], []
        marks = [("python.compile", begin)]

        def compile_it():
            compiled.extend(_compile(frames[b"c"], filename, context.flags))
            context.flags |= compiled[1].co_flags & _FUTURE

        def run_it():
            marks.append(("python.run", time.perf_counter_ns()))
            exec(compiled[1], namespace)
            if compiled[2] is not None:
                shown.append(eval(compiled[2], namespace))

        self._send(b"S")
        error = _attempt(state, [compile_it, run_it], self._own)
        marks.append(("python.report", time.perf_counter_ns()))
        self._harness._run([self._harness._spare_descriptor])
        tail = self._report(error, namespace, shown, before, compiled)
        marks.append(("", time.perf_counter_ns()))
        steps = ",".join(f'"{step}":{(end - start) // 1000}' for (step, start), (_, end) in zip(marks, marks[1:]))
        return _exit_code(error), [*tail, (b"T", f"{{{steps}}}".encode())]

    def _report(self, error, namespace, shown, before, compiled):
        part, send, run = self._part, self._send, self._harness._run
        if error is not None and not isinstance(error, SystemExit):
            part("errors").report(error, send, part("result_json"), run)
        elif error is not None and not isinstance(error.code, (int, type(None))):
            part("errors").tell(error, "", send, part("result_json"))
        frames = []
        if error is None or isinstance(error, SystemExit):
            broken = run([lambda: frames.extend(self._value(namespace, shown, before, compiled[0]))])
            if broken is not None:
                part("errors").report(broken, send, part("result_json"), run)
        if "matplotlib.pyplot" in sys.modules:
            run([lambda: self._stage.shower().show_open_figures()])
        for stream in (sys.stdout, sys.stderr):
            run([lambda stream=stream: stream.flush()])
        return frames

    def _value(self, namespace, shown, before, sets_result):
        """The frame of the step's result, if it has one."""
        part, options = self._part, self._options

        def frame_of(value):
            return part("result_json").result_frame(value, options["result_bytes_max"],
                                                    options["result_depth_max"])

        rich = bool(shown) and type(shown[0]).__module__ != "builtins" and part("displays").is_rich(shown[0])
        if rich:
            self._stage.shower().show_last(shown[0])
        now = namespace.get("result", _MISSING)
        if now is not _MISSING and (now is not before or sets_result()):
            return [frame_of(now)]
        if not shown or shown[0] is None:
            return []
        frame = frame_of(shown[0])
        if frame[0] == b"R":
            return [frame]
        if not rich:
            self._stage.shower().show(shown[0])
        return []


def _branch(count, fork, renew, send):
    """Makes branches of this interpreter, each of which returns the descriptor of its requests; None in one that
    goes on as it was because there are none."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    send.hold(True)
    try:
        request = fork(count)
    finally:
        send.hold(False)
    if request < 0:
        return None
    send.renew(request + 1)  # src/confine/cell_branch.h
    posix.set_inheritable(request, False)
    renew()
    return request


def serve(harness, part, scan, send, fd, token, options, frames, stage, fork, renew):
    """Runs steps until the engine ends the session."""
    pid, token = posix.getpid(), token.encode()
    session = _Session(harness, part, send, options, frames, stage)
    session.listen()
    send(b"S")
    send(b"Z", b"", [(b"Q", b"\0" + token)])
    while True:
        frames = harness._read_request(fd, True)
        if b"b" in frames:
            fd = _branch(int(frames[b"b"]), fork, renew, send) or fd
            continue
        begin = time.perf_counter_ns()
        session.listen()
        code, tail = session.step(frames, scan(frames.pop(b"o")), begin)
        if posix.getpid() != pid:
            posix._exit(code)  # a child that the step has forked, and that came back from it
        tail += [(b"Z", b""), (b"Q", bytes((code,)) + token)]
        send(*tail[0], tail[1:])
