"""Turns values into displays: the same content in one or more MIME types, as notebooks do.

All displays of a run share displays_bytes_max, counted in bytes of their frames. Where one does not fit, its
largest forms are left out first; that something is missing is told in the member LEFT_OUT, which the engine
takes out again and reports as `truncated.displays`.
"""

import sys

LEFT_OUT = "application/vnd.casemate.left-out"
ROWS_MAX = 1000  # of a table's application/json form; its text and HTML forms are shortened by pandas itself

_METHODS = (
    ("_repr_html_", "text/html"), ("_repr_markdown_", "text/markdown"), ("_repr_svg_", "image/svg+xml"),
    ("_repr_png_", "image/png"), ("_repr_jpeg_", "image/jpeg"), ("_repr_latex_", "text/latex"),
    ("_repr_json_", "application/json"),
)


def is_rich(value):
    kind = type(value)
    return (_is_figure(value) or hasattr(kind, "_repr_mimebundle_")
            or any(hasattr(kind, method) for method, _ in _METHODS))


def _is_figure(value):
    figure = sys.modules.get("matplotlib.figure")
    return figure is not None and isinstance(value, figure.Figure)


def _is_table(value):
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, getattr(pandas, "DataFrame", ()))


def _base64(data):
    import binascii
    return binascii.b2a_base64(data, newline=False).decode("ascii")


class Displays:
    def __init__(self, send, bytes_max, result_json):
        self._send, self._left, self._json = send, bytes_max, result_json
        self._complained = False

    def renew(self, bytes_max):
        """A session's next step has displays of its own."""
        self._left, self._complained = bytes_max, False

    def show(self, value):
        """Shows `value`, if only as its repr. An error in its own methods is shown in its place."""
        try:
            forms = self._forms(value)
        except Exception as error:
            forms = {"text/plain": f"[display failed: {type(error).__name__}: {_text_of(error)}]"}
        self._send_forms(forms)

    def show_last(self, value):
        """The value of the program's last expression: shown when it has more than a repr. A figure that is
        still open is left to show_open_figures."""
        if is_rich(value) and not (_is_figure(value) and self._is_open(value)):
            self.show(value)

    def show_table(self, value):
        if _is_table(value):
            self.show(value)

    def show_open_figures(self):
        """Shows and closes pyplot's figures, oldest first."""
        pyplot = sys.modules["matplotlib.pyplot"]
        try:
            numbers = pyplot.get_fignums()
        except Exception:
            return  # its import did not come to an end
        for number in numbers:
            figure = pyplot.figure(number)
            if figure.axes or figure.texts or figure.lines or figure.images:
                self.show(figure)
            pyplot.close(figure)

    def take_over_show(self, pyplot):
        """pyplot.show() shows here, whichever backend is chosen."""
        def show(*args, **kwargs):
            """Shows all open figures and closes them."""
            self.show_open_figures()
        pyplot.show = show

    def _is_open(self, figure):
        pyplot = sys.modules.get("matplotlib.pyplot")
        return pyplot is not None and any(pyplot.figure(n) is figure for n in pyplot.get_fignums())

    def _forms(self, value):
        if _is_figure(value):
            return self._figure_forms(value)
        forms = {}
        bundle = getattr(type(value), "_repr_mimebundle_", None)
        if bundle is not None:
            made = bundle(value, include=None, exclude=None)
            forms.update((made[0] if isinstance(made, tuple) else made) or {})
        for method, mime in _METHODS:
            make = getattr(type(value), method, None)
            if make is not None and mime not in forms:
                made = make(value)
                if made is not None:
                    forms[mime] = made[0] if isinstance(made, tuple) else made
        if _is_table(value):
            forms.setdefault("application/json", self._table(value))
        if "text/plain" not in forms:
            forms["text/plain"] = repr(value)
        return forms

    def _figure_forms(self, figure):
        import io
        forms = {}
        for mime, kind in (("image/png", "png"), ("image/svg+xml", "svg")):
            stream = io.BytesIO()
            figure.savefig(stream, format=kind, bbox_inches="tight")
            forms[mime] = stream.getvalue()
        forms["image/svg+xml"] = forms["image/svg+xml"].decode("utf-8", "replace")
        forms["text/plain"] = str(figure)
        return forms

    def _table(self, frame):
        """{"rows_total", "rows"}: the rows as `result` would have them."""
        import math
        walker = self._json.Walker(1 << 62, 64)
        rows = walker.plain(frame.head(ROWS_MAX))
        for row in rows:
            for name, value in row.items():
                if type(value) is float and not math.isfinite(value):
                    row[name] = str(value)
        return {"rows_total": len(frame), "rows": rows}

    def _send_forms(self, forms):
        texts = {}
        for mime, data in forms.items():
            if isinstance(data, (bytes, bytearray)):
                data = _base64(data)
            elif not isinstance(data, str):
                try:
                    data = self._json.to_text(data)
                except Exception:
                    continue  # one form that cannot be told does not take the others with it
            texts[str(mime)] = data
        payload, size = self._fit(texts)
        if len(payload) <= self._left:
            self._left -= len(payload)
            self._send(b"D", payload)
        elif not self._complained:
            # Not even the note fits: say so once, in a frame of a size that the engine always takes.
            self._complained = True
            self._send(b"D", self._json.to_bytes({LEFT_OUT: str(size)}))

    def _fit(self, texts):
        """The frame of those `texts` that fit, and the size of all."""
        payload = self._json.to_bytes(texts)
        size = len(payload)
        for mime in sorted(texts, key=lambda m: len(texts[m]), reverse=True):
            if len(payload) <= self._left:
                break
            del texts[mime]
            kept = texts or {"text/plain": f"[display of {size} bytes left out: over displays_bytes_max]"}
            payload = self._json.to_bytes({**kept, LEFT_OUT: str(size)})
        return payload, size


def _text_of(error):
    try:
        return str(error)
    except BaseException:
        return "<exception str() failed>"
