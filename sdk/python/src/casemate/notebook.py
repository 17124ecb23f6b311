"""How results are shown in a notebook.

What a program displays is untrusted, and a notebook's page can run code as its user. So pictures are shown as pictures
(an <img> runs no script, in SVG neither), HTML is put into a frame without scripts, origin or network of its own, and
all other text is escaped.
"""

from __future__ import annotations

import base64
import binascii
import html
from typing import TYPE_CHECKING, Dict, Mapping, Optional

if TYPE_CHECKING:
    from .results import Result

__all__ = ["display_bundle", "result_bundle"]

# No request may tell anybody what was shown where.
_CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def _pre(text: str, colour: str = "inherit") -> str:
    return f'<pre style="margin:0;white-space:pre-wrap;color:{colour}">{html.escape(text)}</pre>'


def _picture(mime: str, encoded: str) -> str:
    return f'<img src="data:{mime};base64,{encoded}" style="max-width:100%">'


def _frame(content: str) -> str:
    page = f'<meta http-equiv="Content-Security-Policy" content="{_CONTENT_POLICY}">{content}'
    return (f'<iframe sandbox="" srcdoc="{html.escape(page)}" '
            'style="width:100%;height:20em;border:1px solid #ccc;background:#fff"></iframe>')


def _display_html(data: Mapping[str, str]) -> str:
    for mime in _PICTURES:
        if mime in data and (encoded := _encoded(data[mime])) is not None:
            return _picture(mime, encoded)
    if "image/svg+xml" in data:
        return _picture("image/svg+xml", base64.b64encode(data["image/svg+xml"].encode()).decode())
    if "text/html" in data:
        return _frame(data["text/html"])
    return _pre(data.get("text/plain", "") or ", ".join(data))


def _encoded(text: str) -> Optional[str]:
    """`text` where it is base64 and nothing else."""
    try:
        base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return text.strip()


def display_bundle(data: Mapping[str, str]) -> Dict[str, str]:
    """A MIME bundle that is safe to show for a display of a program."""
    return {"text/plain": data.get("text/plain", ", ".join(data)), "text/html": _display_html(data)}


def result_bundle(result: Result) -> Dict[str, str]:
    """A MIME bundle with the status, the streams, the value and the displays of a run."""
    colour = "#1a7f37" if result.ok else "#cf222e"
    parts = [_pre(result.summary(), colour)]
    lines = [result.summary()]
    for text in (result.stdout, result.stderr):
        if text:
            parts.append(_pre(text))
            lines.append(text.rstrip("\n"))
    parts += [_display_html(display.data) for display in result.displays]
    if result.result is not None:
        parts.append(_pre(f"result = {result.result!r}"))
        lines.append(f"result = {result.result!r}")
    return {"text/plain": "\n".join(lines), "text/html": f"<div>{''.join(parts)}</div>"}
