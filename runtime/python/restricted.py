"""Compiles a program with RestrictedPython and gives it guarded built-ins: a filter with clear answers. The sandbox
around the interpreter is the boundary; nothing here is.

RestrictedPython lies beside this file and is loaded here, outside sys.modules, so that no program can import it.
Its own __init__ is left out: it loads more than is needed.
"""

import sys

_REMEDY = "write it another way, or run it with --checks checked or open"
_FINDINGS_MAX = 200


class Refused(BaseException):
    """Ends a compilation: `findings` say why."""

    def __init__(self, findings):
        self.findings = findings


def _load(folder):
    """RestrictedPython's modules that are used here, by name."""
    import importlib
    package = type(sys)("RestrictedPython")
    package.__path__ = [folder]
    before = sys.modules.get("RestrictedPython")
    sys.modules["RestrictedPython"] = package
    names = ("transformer", "Guards", "Limits", "Utilities")
    try:
        return {name: importlib.import_module(f"RestrictedPython.{name}") for name in names}
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "RestrictedPython"]:
            del sys.modules[name]
        if before is not None:
            sys.modules["RestrictedPython"] = before


class Policy:
    """One for each process; `table` is restricted_modules.NAMES."""

    def __init__(self, folder, table):
        import ast
        self._ast, self._table = ast, table
        self._parts = _load(folder)
        self._parts["transformer"].copy_locations = self._copy_locations
        self._transformer = self._make_transformer()

    def _copy_locations(self, made, node):
        """As RestrictedPython's own, which goes through all that was in its place before, again for each new node."""
        self._ast.copy_location(made, node)
        place = {name: getattr(made, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")}
        waiting = [made]
        while waiting:
            for child in self._ast.iter_child_nodes(waiting.pop()):
                if "lineno" not in child._attributes:
                    waiting.append(child)
                elif not hasattr(child, "lineno"):
                    child.__dict__.update(place)
                    waiting.append(child)

    def _make_transformer(self):
        ast, base = self._ast, self._parts["transformer"].RestrictingNodeTransformer
        node_type, visits = ast.AST, {}

        class Transformer(base):
            """Keeps the place of each error, and knows which modules there are."""

            def __init__(self, is_allowed):
                super().__init__()
                self.found, self._is_allowed = [], is_allowed

            def visit(self, node):
                kind = type(node)
                if kind not in visits:
                    visits[kind] = getattr(Transformer, "visit_" + kind.__name__, Transformer.generic_visit)
                return visits[kind](self, node)

            def node_contents_visit(self, node):
                """As ast.NodeTransformer.generic_visit, without its generator."""
                for field in node._fields:
                    old = getattr(node, field, None)
                    if isinstance(old, node_type):
                        new = self.visit(old)
                        if new is None:
                            delattr(node, field)
                        elif new is not old:
                            setattr(node, field, new)
                    elif type(old) is list and old:
                        made = []
                        for value in old:
                            if isinstance(value, node_type):
                                value = self.visit(value)
                                if value is None:
                                    continue
                                if not isinstance(value, node_type):
                                    made.extend(value)
                                    continue
                            made.append(value)
                        old[:] = made
                return node

            def error(self, node, info):
                super().error(node, info)
                self.found.append((getattr(node, "lineno", 0) or 0, (getattr(node, "col_offset", -1) or 0) + 1,
                                   "restricted", info, _REMEDY))

            def _refuse_module(self, node, name):
                super().error(node, name)
                self.found.append((node.lineno, node.col_offset + 1, "restricted-import",
                                   f"{name} is not among the modules of restricted programs",
                                   "do without it; whoever runs the program can allow it with --allow-package "
                                   f"{name}"))

            def visit_Import(self, node):
                for alias in node.names:
                    if not self._is_allowed(alias.name):
                        self._refuse_module(node, alias.name)
                return super().visit_Import(node)

            def visit_ImportFrom(self, node):
                name = "." * node.level + (node.module or "")
                if node.level or not self._is_allowed(name):
                    self._refuse_module(node, name)
                return super().visit_ImportFrom(node)

        assert issubclass(Transformer, ast.NodeTransformer)
        return Transformer

    def compile(self, source, filename, packages):
        """The code of the program and, where its last statement is an expression, that expression's code by itself.
        Raises Refused."""
        ast = self._ast
        try:
            tree = ast.parse(source, filename)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None) or 1
            raise Refused([_finding(source, line, getattr(error, "offset", None) or 1, "syntax-error",
                                    getattr(error, "msg", None) or f"{type(error).__name__}: {error}",
                                    "mend the syntax")]) from None
        transformer = self._transformer(lambda name: self._is_allowed(name, packages))
        try:
            tree = transformer.visit(tree)
            if transformer.found:
                raise Refused([_finding(source, *found) for found in transformer.found[:_FINDINGS_MAX]])
            last = tree.body.pop().value if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            code = _compile(ast, tree, filename, "exec", 0)
            if last is not None:
                last = _compile(ast, ast.Expression(last), filename, "eval", code.co_flags & 0x1FE0000)
        except (RecursionError, MemoryError, SyntaxError, ValueError) as error:
            raise Refused([_finding(source, getattr(error, "lineno", None) or 1, 1, "restricted",
                                    f"the program cannot be compiled: {type(error).__name__}: {error}",
                                    "simplify it")]) from None
        return code, last

    def _is_allowed(self, name, packages):
        if name in self._table:
            return True
        return any(name == package or name.startswith(package + ".") for package in packages)

    def namespace(self, name, filename, packages, display):
        """The program's own names, with its built-ins."""
        guards = self._parts["Guards"]
        getattr_ = guards.safer_getattr_raise
        missing = object()

        def guarded_getattr(value, name, default=missing):
            return getattr_(value, name) if default is missing else getattr_(value, name, default)

        def guarded_hasattr(value, name):
            try:
                getattr_(value, name)
            except (AttributeError, NotImplementedError):
                return False
            return True

        def type_of(value):
            return type(value)

        builtins = dict(guards.safe_builtins)
        for plain in (all, any, ascii, bin, bytes, dict, enumerate, filter, format, frozenset, iter, list, map, max,
                      min, next, object, property, reversed, set, sorted, sum, tuple, zip, classmethod, staticmethod):
            builtins[plain.__name__] = plain
        if "RestrictedPython.limited_builtins" in packages:
            builtins.update(self._parts["Limits"].limited_builtins)
        if "RestrictedPython.utility_builtins" in packages:
            utilities = dict(self._parts["Utilities"].utility_builtins)
            utilities.update({"math": self._proxy("math"), "random": self._proxy("random"),
                              "whrandom": self._proxy("random")})
            utilities.pop("DateTime", None)
            builtins.update(utilities)
        builtins.update(getattr=guarded_getattr, hasattr=guarded_hasattr, type=type_of, display=display,
                        __import__=self._importer(packages))
        return {
            "__builtins__": builtins, "__name__": name, "__file__": filename, "__metaclass__": _make_class,
            "_getattr_": guarded_getattr, "_getitem_": _get_item, "_getiter_": iter, "_write_": guards.full_write_guard,
            "_iter_unpack_sequence_": guards.guarded_iter_unpack_sequence,
            "_unpack_sequence_": guards.guarded_unpack_sequence, "_inplacevar_": _in_place, "_apply_": _apply,
            "_print_": _Printer,
        }

    def _importer(self, packages):
        def guarded_import(name, globals=None, locals=None, fromlist=(), level=0):
            if level or not self._is_allowed(name, packages):
                raise ImportError(f"{name} is not among the modules of restricted programs", name=name)
            if name in self._table and name not in packages:
                return self._proxy(name)
            module = __import__(name, {"__name__": "__main__"}, {}, ("*",))
            if fromlist:
                return _Namespace(name, _public(module, name, packages))
            top, _, rest = name.partition(".")
            made = _Namespace(name, _public(module, name, packages))
            for part in reversed(rest.split(".") if rest else []):
                made = _Namespace(top, {part: made})
            return made

        return guarded_import

    def _proxy(self, name):
        module = __import__(name, {"__name__": "__main__"}, {}, ("*",))
        return _Namespace(name, {public: getattr(module, public) for public in self._table[name].split()
                                 if hasattr(module, public)})


class _Namespace:
    """A module's names that a program may use."""

    __slots__ = ("_names", "_name")

    def __init__(self, name, names):
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_names", names)

    def __getattribute__(self, name):
        names = object.__getattribute__(self, "_names")
        if name in names:
            return names[name]
        own = object.__getattribute__(self, "_name")
        if name in ("__class__", "__repr__"):
            return object.__getattribute__(self, name)
        raise AttributeError(f"{name} of {own} is not for restricted programs")

    def __setattr__(self, name, value):
        raise TypeError("a module cannot be changed here")

    def __repr__(self):
        return f"<{object.__getattribute__(self, '_name')}, restricted>"


def _public(module, name, packages):
    """Of a module that was allowed by name: what it calls its own. Modules that it holds are left out, but for its
    parts that were allowed too."""
    names = {}
    for public in dir(module):
        # Its methods read attributes by any name, as those of str that are guarded (CVE-2024-47532).
        if public.startswith("_") or (name, public) == ("string", "Formatter"):
            continue
        value = getattr(module, public, None)
        if type(value) is type(sys):
            whole = f"{name}.{public}"
            if value.__name__ != whole or not any(whole == p or whole.startswith(p + ".") for p in packages):
                continue
            value = _Namespace(whole, _public(value, whole, packages))
        names[public] = value
    return names


class _Printer:
    """print() writes to standard output at once; `printed` is what was printed so far in its scope."""

    def __init__(self, _getattr_=None):
        self._texts = []

    def __call__(self):
        return "".join(self._texts)

    def write(self, text):
        self._texts.append(text)

    def _call_print(self, *values, sep=None, end=None, file=None, flush=False):
        if file is not None:
            raise TypeError("print() of a restricted program writes to standard output alone")
        text = (" " if sep is None else sep).join(map(str, values)) + ("\n" if end is None else end)
        self._texts.append(text)
        sys.stdout.write(text)
        if flush:
            sys.stdout.flush()


def _make_class(name, bases, members, **keywords):
    """Objects of a program's own classes may be written to."""
    members["_guarded_writes"] = True
    return type(name, bases, members, **keywords)


def _get_item(value, key):
    return value[key]


def _apply(function, *values, **keywords):
    return function(*values, **keywords)


def _in_place(operator, value, other):
    import operator as operators
    names = {"+=": "iadd", "-=": "isub", "*=": "imul", "/=": "itruediv", "%=": "imod", "**=": "ipow", "<<=": "ilshift",
             ">>=": "irshift", "|=": "ior", "^=": "ixor", "&=": "iand", "//=": "ifloordiv", "@=": "imatmul"}
    return getattr(operators, names[operator])(value, other)


def _compile(ast, tree, filename, mode, flags):
    try:
        return compile(tree, filename, mode, flags, True)
    except TypeError:  # a node without a place
        return compile(ast.fix_missing_locations(tree), filename, mode, flags, True)


def _finding(source, line, column, rule, reason, remedy):
    lines = source.split(b"\n")
    snippet = lines[line - 1].strip()[:120].decode(errors="ignore") if 0 < line <= len(lines) else ""
    return {"rule": rule, "line": line, "column": column, "snippet": snippet, "reason": reason, "remedy": remedy}


_POLICIES = {}


def _policy(part):
    """The process's own, made once."""
    if part.folder not in _POLICIES:
        _POLICIES[part.folder] = Policy(part.folder, part("restricted_modules").NAMES)
    return _POLICIES[part.folder]


def compile_program(part, options, source):
    """As harness._compile(). Raises Refused."""
    return _policy(part).compile(source, options["filename"], options["restricted"])


def guarded(part, options, names):
    """The namespace of a restricted program in the place of `names`, an ordinary one's."""
    import builtins
    made = _policy(part).namespace("__main__", options["filename"], options["restricted"], builtins.display)
    made["INPUT_DATA"] = names["INPUT_DATA"]
    return made


_REHEARSED = b"""
import json, math
from collections import deque as queue
class Box:
    def __init__(self, value, *more, **named):
        self.value = value
    def twice(self, by=2):
        try:
            return [v * by for v in self.value if not v < 1 and v is not None]
        except (TypeError, ValueError) as error:
            raise error
        finally:
            pass
total, rows = 0, {'a': (1, 2), "b": [3.5]}
for key, value in rows.items():
    total += len(value) if key in rows else -1
    while False:
        continue
first, *rest = sorted(rows, key=lambda k: k[0:1])
rows[first] = {x: y for x, y in zip(rest, rest)}
print(f"{total:>5} {first!r}", Box(rest).twice(), *rest, end='')
with Box(1) as opened:
    assert total > 0 or opened, 'none'
result = total
"""


def rehearse(part):
    """In a zygote: what an ordinary program needs then has its caches and adapted code."""
    policy = _policy(part)
    for _ in range(20):
        policy.compile(_REHEARSED, "main.py", [])
        policy.namespace("__main__", "main.py", [], None)
