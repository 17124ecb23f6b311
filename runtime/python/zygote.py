"""A fork server: an interpreter that has imported what programs need, and has seen no program and no secret.

Started as `python3 -I -S zygote.pyc REQUEST_FD RESULT_FD`, without any privilege, in a sandbox of its own.

    engine                                   zygote
    'o' options, 'g' on REQUEST_FD       ->  imports and rehearses
                                         <-  'Y' what became of each module, on RESULT_FD
    an order on the control socket       ->  forks a cell (src/confine/cell.cc)
                                             cell: its own random state, a rehearsal unless it is waited for
                                         <-  end of the cell's launch socket: it waits
    's' secrets, 'r' limits, 'l' other
    settings, then as for harness.py     ->  cell: seals itself, runs the program, asks to be ended;
                                             in a session (session.py) it runs step after step

A module is safe to share when its import leaves one thread, no child process and no descriptor: a thread does
not survive the fork, and a cell keeps only its own descriptors. The first one that is not safe is named, and
the engine starts another zygote without it.
"""

import _thread
import atexit
import gc
import posix
import struct
import sys
import time

_REQUEST, _RESULT, _CONTROL = 1100, 1101, 1102
_NATIVE = "/casemate/casemate_cell.so"
# Packages with C extensions that do nothing at exit(3) which anybody sees. Buffers of C's stdio are written before.
_QUIET_AT_EXIT = frozenset(("numpy", "pandas", "matplotlib", "PIL", "kiwisolver", "contourpy"))
# One thread each: a library's pool of threads would not survive the fork. Cells get the variables of their run.
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

_NO_SETTINGS = {}
_REHEARSALS_IN_ZYGOTE = 10
_REHEARSALS_WHEN_SETTLED = 2
# Like those of a run: src/zygote/cell_message.h, CellLimit.
_LIMITS = struct.pack("<9Q", 7, 1024, 1024, 1, 68157440, 68157440, 0, 31, 32)
# What some requests have besides.
_OTHER_FRAMES = [(b"l", b'{"code_name":"main.py"}'), (b"i", b'{"a":[1,2.5,null,"text"]}'),
                 (b"s", b"CASEMATE_REHEARSAL\0x\0")]

# What runs in the zygote and again in each waiting cell, so that a program's first steps find their pages and
# caches there. By the module that must be loaded for it.
_REHEARSALS = {
    "json": "import json; json.loads(json.dumps({'a': [1, 2.5, None, 'text']}))",
    "numpy": "import numpy; (numpy.arange(12.0).reshape(3, 4) @ numpy.ones((4, 2))).sum().item()",
    "pandas": "import pandas\n"
              "frame = pandas.DataFrame({'key': ['a', 'b', 'a'], 'value': [1, 2, 3]})\n"
              "result = frame.groupby('key')['value'].sum().to_dict()",
}
# Once, in the zygote: what fills a cache and takes long.
_PREPARATIONS = {
    "matplotlib.pyplot": "import io, matplotlib.pyplot as plt\n"
                         "figure = plt.figure(); figure.gca().plot([1, 2]); figure.savefig(io.BytesIO())\n"
                         "plt.close('all')",
}


def _is_extension(module):
    file = getattr(module, "__file__", None)
    return type(file) is str and file.endswith(".so")


def _load(folder, name, suffix):
    """A file of our own as a module outside sys.modules, whose name is not __main__."""
    import _io
    with _io.open(f"{folder}/{name}{suffix}", "rb") as file:
        data = file.read()
    if suffix == ".pyc":
        import marshal
        code = marshal.loads(memoryview(data)[16:])
    else:
        code = compile(data, f"{folder}/{name}{suffix}", "exec", 0, True)
    module = type(sys)(f"casemate.{name}")
    exec(code, module.__dict__)
    return module


def _load_native():
    from _imp import create_dynamic, exec_dynamic
    from importlib.machinery import ExtensionFileLoader, ModuleSpec
    spec = ModuleSpec("casemate_cell", ExtensionFileLoader("casemate_cell", _NATIVE), origin=_NATIVE)
    module = create_dynamic(spec)
    exec_dynamic(module)
    sys.modules.pop("casemate_cell", None)
    return module


def _traces():
    """What an import may leave behind besides objects."""
    threads = len(posix.listdir("/proc/self/task"))
    descriptors = set(posix.listdir("/proc/self/fd"))
    try:
        children = posix.waitid(posix.P_ALL, 0, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT) is not None or True
    except ChildProcessError:
        children = False
    return threads, len(descriptors), children


def _unsafe(before):
    """Why the process may not be forked after an import; empty when it may."""
    threads, descriptors, children = _traces()
    if threads > before[0]:
        return "starts threads, which do not survive a fork"
    if descriptors > before[1]:
        return "leaves files or sockets open"
    if children:
        return "starts a process"
    return ""


def _preload(names):
    """What became of each module: "" for loaded, or why not. Stops at the first unsafe one."""
    import importlib
    outcome, before = {}, _traces()
    for name in names:
        try:
            importlib.import_module(name)
            outcome[name] = ""
        except BaseException as error:
            outcome[name] = f"cannot be imported: {type(error).__name__}: {error}"
        reason = _unsafe(before)
        if reason:
            outcome[name] = reason
            return outcome, name
    return outcome, None


def _loaded_files():
    """Where the loaded modules came from, as far as they are files."""
    paths = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return [path for path in paths if isinstance(path, str) and path.startswith("/")]


def _scanner():
    """Reads JSON like that of the engine's options: faster than the compiler, which eval() would need."""
    try:
        import _json

        class Context:
            strict, memo = True, {}
            object_hook = object_pairs_hook = None
            parse_float, parse_int, parse_constant = float, int, float

        scan = _json.make_scanner(Context)
        return lambda data: scan(data.decode(), 0)[0]
    except ImportError:
        import json
        return json.loads


class _Rehearsal:
    """The way of a small program through a cell, without a trace: what it reads and writes is at hand when a real
    one comes."""

    def __init__(self, cell, options):
        self._cell = cell
        loaded = [text for name, text in _REHEARSALS.items() if name in sys.modules]
        code = "\n".join(["x = {'a': 1}", *loaded, "result = x", ""]).encode()
        self._frames = [(b"r", _LIMITS), (b"o", options), (b"c", code), (b"g", b"")]
        self._all_frames = [*_OTHER_FRAMES, *self._frames]

    def run(self, frames=None):
        stage, send = self._cell.stage, self._cell.send
        main, path, finders = sys.modules["__main__"], list(sys.path), list(sys.meta_path)
        argv, orig_argv, module = sys.argv, sys.orig_argv, stage.module
        stage.module = self._cell.harness._new_module()
        receive, give = posix.pipe()
        posix.write(give, b"".join(kind + len(payload).to_bytes(4, "little") + payload
                                   for kind, payload in frames or self._frames))
        posix.close(give)
        nobody = posix.open("/dev/null", posix.O_WRONLY)
        send.renew(nobody)
        self._cell.perform(receive, rehearsed=True)
        posix.close(nobody)
        send.renew(_RESULT)
        sys.modules["__main__"], sys.argv, sys.orig_argv, stage.module = main, argv, orig_argv, module
        sys.path[:], sys.meta_path[:] = path, finders

    def run_thoroughly(self, times):
        """With all that a request may have. So often that the interpreter has adapted its code (PEP 659): a cell
        would write to those pages too."""
        for _ in range(times):
            self.run(self._all_frames)
            self.run()
            _forget("CASEMATE_REHEARSAL")


def _renew():
    """Gives this cell random state of its own. random itself is reseeded by its own hook after a fork, and what
    asks for the process id (OpenSSL, tempfile) sees another one than the zygote's."""
    modules = sys.modules
    if "numpy.random" in modules:
        modules["numpy.random"].seed()
    if "_ssl" in modules:
        modules["_ssl"].RAND_add(posix.urandom(32), 32.0)
    if "multiprocessing.process" in modules:
        modules["multiprocessing.process"].current_process().authkey = posix.urandom(32)
    if "uuid" in modules:
        modules["uuid"]._last_timestamp = None
        modules["uuid"]._node = None


def _set_environment(variables):
    import os
    for name in [name for name in os.environ if name not in variables]:
        del os.environ[name]
    # Each that is set costs a fresh cell pages of its own.
    for name, value in variables.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    if "TZ" in variables:
        time.tzset()


def _add_secrets(data):
    """Variables that come apart from the settings: NAME, zero, value, zero, and so on."""
    import os
    words = data.split(b"\0")
    for name, value in zip(words[:-1:2], words[1::2]):
        os.environb[name] = value


def _forget(name):
    import os
    del os.environ[name]


class _Cell:
    """Runs the one program, or session, of this process."""

    def __init__(self, harness, part, native, scan, send, stage):
        self.harness, self.send, self.stage = harness, send, stage
        self._part, self._native, self._scan = part, native, scan
        self._options_text = self._options = None
        self.is_complete()

    def perform(self, fd, rehearsed=False):
        """Takes a request from `fd`. Comes back only from a rehearsal, which seals nothing and ends nobody's
        interpreter."""
        native = self._native
        frames = native.read_request(fd)
        begin = time.perf_counter_ns()
        settings = self._scan(frames.pop(b"l")) if b"l" in frames else _NO_SETTINGS
        failed = native.seal(frames.pop(b"r"), settings.get("writable"), "connects" in settings,
                             settings.get("code_name", "main.py"), frames[b"c"], rehearsed)
        if failed:
            posix.write(2, f"casemate: the cell cannot be sealed: errno {-failed}\n".encode())
            posix._exit(125)
        if "env" in settings:
            _set_environment(settings["env"])
        if b"s" in frames:
            _add_secrets(frames.pop(b"s"))
        options = self._options_of(frames[b"o"])
        sys.path_importer_cache.pop("/workspace", None)
        gc.enable()
        if "session" in settings:
            native.enlarge()
            self._part("session").serve(self.harness, self._part, self._scan, self.send, fd, settings["session"],
                                        options, frames, self.stage, native.branch, _renew)
        posix.close(fd)
        error, namespace, tail = self.harness._execute(begin, options, frames, self.send, self._part, self.stage)
        self._end(error, namespace, tail, rehearsed)

    def _options_of(self, text):
        """Those of most requests are the ones that were rehearsed."""
        if text != self._options_text:
            self._options_text, self._options = text, self._scan(text)
        return self._options

    def is_complete(self):
        """Once more when all modules of the zygote are loaded."""
        self._modules = frozenset(sys.modules)
        self._at_exit = atexit._ncallbacks()
        self._newest = next(reversed(sys.modules))
        self._loaded = self._native.loaded()
        # numpy loads _ctypes, and no library through it.
        self._has_loud = self._are_loud(name for name in sys.modules if name != "_ctypes")

    def _are_loud(self, names):
        return self.harness._has_own_end([sys.modules[name] for name in names
                                          if name.partition(".")[0] not in _QUIET_AT_EXIT])

    def _has_own_end(self):
        if self._has_loud:
            return True
        loaded = self._native.loaded() - self._loaded
        if not loaded and len(sys.modules) == len(self._modules) and next(reversed(sys.modules)) == self._newest:
            return False
        new = [name for name in sys.modules if name not in self._modules]
        # A library that is not a module: _ctypes may have loaded it, which need not be new.
        libraries = loaded - sum(_is_extension(sys.modules[name]) for name in new)
        return self._are_loud(new) or ("_ctypes" in sys.modules and libraries > 0)

    def _end(self, error, namespace, tail, rehearsed):
        # One of the program's functions at exit, or a thread that is waited for, may end all.
        tail_first = atexit._ncallbacks() > self._at_exit or _thread._count() > 0
        told = self.harness._tell_end(error, namespace, tail, self.send, tail_first=tail_first, wind_up=not rehearsed,
                                      has_own_end=self._has_own_end, flush=self._native.flush)
        if rehearsed:
            gc.disable()
        elif told:
            self._native.leave(self.harness._exit_code(error))
        else:
            self.harness._end(error)


def _main():
    folder, _, name = sys.argv[0].rpartition("/")
    suffix = ".pyc" if name.endswith(".pyc") else ".py"
    harness = _load(folder, "harness", suffix)
    part = harness._part_loader(folder, suffix)
    for name in ("errors", "result_json", "displays", "session"):
        part(name)
    try:
        posix.stat(f"{folder}/restricted{suffix}")
    except OSError:
        pass  # this interpreter is too old for restricted programs
    else:
        part("restricted").rehearse(part)
    harness._compile_quickly = lambda source, filename: None  # this process compiles more than once
    import os
    options = eval(harness._read_request(_REQUEST)[b"o"], {"__builtins__": {}})
    if options.get("prefix"):
        sys.prefix = sys.exec_prefix = options["prefix"]
    sys.path[:] = options["sys_path"] or sys.path
    native = _load_native()
    variables = dict(os.environ)
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    outcome, unsafe = _preload(options["preload"])
    scan = _scanner()
    if unsafe is None:
        send = harness._open_channel(_RESULT, True)
        send.hold(True)  # for the cells
        cell = _Cell(harness, part, native, scan, send, harness._Stage(part, send))
        rehearsal = _Rehearsal(cell, options["harness"].encode())
        for module, text in _PREPARATIONS.items():
            if module in sys.modules:
                exec(text, {})
        rehearsal.run_thoroughly(_REHEARSALS_IN_ZYGOTE)
    report = part("result_json").to_bytes({"modules": outcome, "files": _loaded_files(), "unsafe": unsafe})
    posix.write(_RESULT, b"Y" + len(report).to_bytes(4, "little") + report)
    if unsafe is not None:
        posix._exit(0)
    _set_environment(variables)
    # What is still printed here is nobody's; a cell has its own.
    null = posix.open("/dev/null", posix.O_RDWR)
    for descriptor in (0, 1, 2, _RESULT):
        posix.dup2(null, descriptor)
    posix.close(null)
    native.configure(options["scratch"], options["proc"], options["host_name"], options["change_ids"],
                     [tuple(view) for view in options["views"]], options["landlock_abi"], options["writable"])
    cell.is_complete()
    gc.collect()
    gc.freeze()
    gc.disable()
    native.settle()
    # The pages that a program reads or writes are in this process's page tables again, and only these: a fork
    # copies them, which takes a cell less than to find each by a fault.
    for _ in range(_REHEARSALS_WHEN_SETTLED):
        rehearsal.run()
    has_time = native.serve(_CONTROL)
    # From here on this is a cell.
    send.hold(False)
    _renew()
    if has_time:
        rehearsal.run()
    native.ready()
    cell.perform(_REQUEST)


_main()
