"""Makes strict JSON of a program's `result`, or says exactly which part of it is not JSON.

Accepted, besides dict, list, tuple, str, int, float, bool and None: what a data program naturally holds.

    numpy scalar, array                     number, nested lists (datetime64: ISO text, NaT: null)
    pandas DataFrame                        list of records; NaN, NaT, NA are null. The index is a column
                                            when it is named or not of integers
    pandas Series, Index                    list; a Series with an index of its own is an object
    datetime, date, time, pandas Timestamp  ISO 8601 text
    Decimal, UUID, Path                     text

Keys follow the json module (str, int, float, bool, None), and any of the scalars above. All else is
refused with a hint rather than turned into something that its author did not mean.
"""

import sys

_NONE = type(None)
_encode = None  # made when it is needed
_PATH_MAX = 1000
_HINTS = {
    "set": "make it a list: sorted(value)",
    "frozenset": "make it a list: sorted(value)",
    "bytes": "use value.decode() for text or base64 for binary data",
    "bytearray": "use value.decode() for text or base64 for binary data",
    "generator": "make it a list: list(value)",
    "map": "make it a list: list(value)",
    "filter": "make it a list: list(value)",
    "zip": "make it a list: list(value)",
    "range": "make it a list: list(value)",
    "dict_keys": "make it a list: list(value)",
    "dict_values": "make it a list: list(value)",
    "dict_items": "make it a dict: dict(value)",
    "complex": "give its parts: [value.real, value.imag]",
    "timedelta": "use value.total_seconds()",
    "Tensor": "use value.tolist()",
    "Figure": "show it instead: display(figure)",
    "module": "`result` is a module; choose another name for it",
    "function": "`result` is a function; did you mean to call it?",
}


class Refusal(Exception):
    def __init__(self, reason, message):
        super().__init__(message)
        self.reason, self.message = reason, message


def _encoder():
    """The json module's own C encoder, without that module's imports."""
    try:
        import _json
        encode = _json.make_encoder(None, None, _json.encode_basestring, None, ":", ",", False, False, False)
        return lambda value: "".join(encode(value, 0))
    except ImportError:
        import json
        return json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"),
                                check_circular=False).encode


class _WideLimits:
    """Lifts the interpreter's limit on the digits of an int, and the one on recursion as far as the engine's
    own depth limit (1000) needs, while values cross the border."""

    def __enter__(self):
        self._digits, self._recursion = getattr(sys, "get_int_max_str_digits", int)(), sys.getrecursionlimit()
        if self._digits:
            sys.set_int_max_str_digits(0)
        sys.setrecursionlimit(max(self._recursion, 5000))

    def __exit__(self, *exc):
        if self._digits:
            sys.set_int_max_str_digits(self._digits)
        sys.setrecursionlimit(self._recursion)


def parse(text):
    """The value of JSON text that the engine has already checked."""
    with _WideLimits():
        try:
            import _json

            class Context:
                strict = True
                object_hook = object_pairs_hook = None
                parse_float, parse_int = float, int
                parse_constant = float
                memo = {}

            return _json.make_scanner(Context)(text.decode().strip(), 0)[0]
        except ImportError:
            import json
            return json.loads(text)


def to_text(value):
    global _encode
    if _encode is None:
        _encode = _encoder()
    return _encode(value)


def to_bytes(value):
    return to_text(value).encode("utf-8", "replace")


def result_frame(value, bytes_max, depth_max):
    """(b"R", the JSON of `value`) or (b"X", {"reason", "message", "path"} as JSON)."""
    walker = Walker(bytes_max, depth_max)
    try:
        with _WideLimits():
            try:
                text = to_text(walker.plain(value)).encode()
            except ValueError:  # a NaN or a lone surrogate, somewhere
                walker = Walker(bytes_max, depth_max, thorough=True)
                text = to_text(walker.plain(value)).encode()
        if len(text) <= bytes_max:
            return b"R", text
        refusal = walker.too_large()
    except Refusal as error:
        refusal = error
    except RecursionError:
        refusal = Refusal("depth", "is nested deeper than Python's recursion limit allows")
    except MemoryError:
        refusal = walker.too_large()
    except BaseException as error:  # raised by the program's own classes
        refusal = Refusal("type", f"could not be read: {type(error).__name__[:100]} was raised while reading it")
    path = walker.path_text()
    return b"X", to_bytes({"reason": refusal.reason, "message": f"{path} {refusal.message}"[:2 * _PATH_MAX],
                           "path": path})


class Walker:
    """Turns one value into plain JSON types. `thorough` also checks what the encoder would find by itself,
    to know where it is."""

    def __init__(self, bytes_max, depth_max, thorough=False):
        self._bytes_max, self._depth_max, self._thorough = bytes_max, depth_max, thorough
        self._left = bytes_max  # a lower bound of the text is charged as it is met: a value that refers
        self._open = set()      # to itself many times over is refused before it is spelled out
        self._path = []

    def path_text(self):
        encode = to_text
        text = "result" + "".join(
            f"[{step}]" if isinstance(step, int) else f"[{encode(step)}]" for step in self._path)
        text = text.encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= _PATH_MAX else text[:_PATH_MAX] + "..."

    def too_large(self):
        self._path.clear()
        return Refusal("size", f"is larger than result_bytes_max ({self._bytes_max} bytes of JSON); return a "
                               "summary, or write it to a file and collect that")

    def _charge(self, size):
        self._left -= size
        if self._left < 0:
            raise self.too_large()

    def plain(self, value):
        kind = type(value)
        if kind is str:
            self._charge(len(value) + 2)
            if self._thorough:
                self._check_text(value)
            return value
        if kind is int:
            self._charge(1 + value.bit_length() // 4)
            return value
        if kind is float:
            self._charge(3)
            if self._thorough and value - value != 0:
                raise Refusal("nan", f"is {value!r}, which JSON does not have; replace it, for instance "
                                     "with None")
            return value
        if kind is bool or value is None:
            self._charge(4)
            return value
        if isinstance(value, (list, tuple, dict)):
            return self._container(value)
        return self._other(value)

    def _check_text(self, value):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refusal("surrogate", "holds a lone surrogate, which is not valid Unicode; use "
                                       "text.encode('utf-8', 'replace').decode()") from None

    def _container(self, value):
        if id(value) in self._open:
            raise Refusal("cycle", "contains itself")
        if len(self._open) >= self._depth_max:
            raise Refusal("depth", f"is nested deeper than result_depth_max ({self._depth_max})")
        self._open.add(id(value))
        self._charge(2)
        plain = self._object(value) if isinstance(value, dict) else self._array(value)
        self._open.discard(id(value))
        return plain

    def _array(self, value):
        if not self._thorough:
            kinds = set(map(type, value))
            if len(kinds) == 1:
                kind = kinds.pop()
                if kind is int:
                    self._charge(2 * len(value) - 1 + sum(map(int.bit_length, value)) // 4)
                    return value
                if kind is float:
                    self._charge(4 * len(value) - 1)
                    return value
                if kind is str:
                    self._charge(3 * len(value) - 1 + sum(map(len, value)))
                    return value
        items = []
        for index, item in enumerate(value):
            self._path.append(index)
            items.append(self.plain(item))
            self._path.pop()
        return items

    def _object(self, value):
        members = {}
        for key, item in value.items():
            name = key if type(key) is str else self._key(key)
            self._path.append(name)
            self._charge(len(name) + 3)
            if self._thorough:
                self._check_text(name)
            if name in members:
                raise Refusal("key", "stands for two different keys of the same dict")
            members[name] = self.plain(item)
            self._path.pop()
        return members

    def _key(self, key):
        if isinstance(key, (tuple, list, dict)) or (plain := self._scalar(key)) is _NONE:
            raise Refusal("key", f"has a key of type {type(key).__name__[:100]}; keys must be text, numbers, "
                                 "booleans or None: use str(key)")
        if isinstance(plain, float) and plain - plain != 0:
            raise Refusal("nan", f"has the key {plain!r}, which JSON does not have")
        return plain if isinstance(plain, str) else to_text(plain)

    def _other(self, value):
        plain = self._scalar(value)
        if plain is not _NONE:
            return self.plain(plain)
        pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
        if pandas is not None and isinstance(value, getattr(pandas, "DataFrame", ())):
            return self.plain(_records(value))
        if pandas is not None and isinstance(value, getattr(pandas, "Series", ())):
            items = _without_missing(value)
            if isinstance(value.index, pandas.RangeIndex):
                return self.plain(items)
            if not value.index.is_unique:
                raise Refusal("key", "is a Series whose index has duplicates; use .reset_index()")
            return self.plain(dict(zip(map(_column_name, value.index), items)))
        if pandas is not None and isinstance(value, getattr(pandas, "Index", ())):
            return self.plain(_without_missing(value))
        if numpy is not None and isinstance(value, getattr(numpy, "ndarray", ())):
            return self.plain(_dates(value) if value.dtype.kind in "mM" else value.tolist())
        name = type(value).__name__[:100]
        hint = _HINTS.get(name, "turn it into dicts, lists, text and numbers first")
        if hasattr(type(value), "__dataclass_fields__"):
            hint = "use dataclasses.asdict(value)"
        elif "enum" in sys.modules and isinstance(value, sys.modules["enum"].Enum):
            hint = "use value.value"
        raise Refusal("type", f"is of type {name}, which is not JSON; {hint}")

    def _scalar(self, value):
        """The plain scalar that `value` stands for, or _NONE when it is none."""
        for base, plain in ((str, str.__str__), (int, int.__int__), (float, float.__float__)):
            if isinstance(value, base):
                return value if type(value) in (bool, base) else plain(value)
        if value is None:
            return value
        modules = sys.modules
        pandas, numpy = modules.get("pandas"), modules.get("numpy")
        if pandas is not None and any(value is getattr(pandas, name, self) for name in ("NaT", "NA")):
            return None
        if numpy is not None and isinstance(value, getattr(numpy, "generic", ())):
            if value.dtype.kind in "mM":
                return _dates(value)
            return value.item() if value.dtype.kind in "biufU" else _NONE
        for module, names, text in (
                ("datetime", ("date", "time"), lambda v: v.isoformat()), ("decimal", ("Decimal",), str),
                ("uuid", ("UUID",), str), ("pathlib", ("PurePath",), str)):
            if module in modules:
                if any(isinstance(value, getattr(modules[module], name, ())) for name in names):
                    return text(value)
        return _NONE


def _dates(value):
    """datetime64 and timedelta64, one or an array, as text."""
    def clean(text):
        return [clean(t) for t in text] if isinstance(text, list) else None if text == "NaT" else text
    return clean(value.astype(str).tolist())


def _without_missing(values):
    return [None if missing else item for item, missing in zip(values.tolist(), values.isna().tolist())]


def _column_name(name):
    """A MultiIndex' ("price", "mean") is called price_mean."""
    return "_".join(map(str, name)) if isinstance(name, tuple) else name


def _records(frame):
    integers = frame.index.nlevels == 1 and frame.index.dtype.kind in "iu"
    if not integers or frame.index.name is not None:
        frame = frame.reset_index()
    names = [_column_name(name) for name in frame.columns]
    if len(set(names)) != len(names):
        raise Refusal("key", "is a DataFrame with two columns of one name; rename them")
    columns = [_without_missing(frame.iloc[:, i]) for i in range(len(names))]
    return [dict(zip(names, row)) for row in zip(*columns)]
