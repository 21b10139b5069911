"""Figures and tables as files and pages keep them: PNG, and HTML with alt text."""

import base64
import html
import io
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

JPEG_QUALITY = 80  # of twice the pixels that are shown
DPI, SHOWN_DPI = 160, 80  # two pixels for one: sharp on every screen, and in print
NUMERIC = re.compile(r"[-+]?\d[\d,]*(\.\d+)?(e-?\d+)?( ± .*)?")


def img_tag(figure: Figure, alt: str) -> str:
    """Return a figure as a self-contained HTML <img> with alt text."""
    return mime_bundle(figure, alt)["text/html"]


def mime_bundle(figure: Figure, alt: str) -> dict[str, str]:
    """Return a figure by MIME type, as notebooks keep it: pages take the <img>, PDF the picture.

    PNG, unless JPEG takes less than a third of it, as it does for paintings: a notebook holds both
    the <img> and the picture.
    """
    content, kind = png(figure), "image/png"
    picture, smaller = Image.open(io.BytesIO(content)), io.BytesIO()
    picture.convert("RGB").save(smaller, "JPEG", quality=JPEG_QUALITY, optimize=True)
    if 3 * smaller.tell() < len(content):
        content, kind = smaller.getvalue(), "image/jpeg"
    data = base64.b64encode(content).decode()
    tag = (
        f'<img alt="{html.escape(alt, quote=True)}" width="{picture.width * SHOWN_DPI // DPI}" '
        f'style="max-width:100%" src="data:{kind};base64,{data}">'
    )
    return {"text/html": tag, kind: data, "text/plain": alt}


def png(figure: Figure) -> bytes:
    """Render a figure to PNG, on white, at 160 dots per inch."""
    buffer = io.BytesIO()
    plain = {"facecolor": "white", "bbox_inches": "tight", "metadata": {}}
    figure.savefig(buffer, format="png", dpi=DPI, **plain)
    return buffer.getvalue()


def html_table(columns: Iterable[str], rows: Iterable[Iterable[Any]], form: str = ".4f") -> str:
    """Return a table as HTML; nothing if there is no row.

    Text is escaped, and columns with numbers are to the right (class n). form: how fractions are
    written; NaN is a dash. A table that is wider than the page can be scrolled with keys.
    """
    columns, shown = list(columns), [[_cell(value, form) for value in row] for row in rows]
    if not shown:
        return ""
    right = [any(map(NUMERIC.fullmatch, column)) for column in zip(*shown, strict=True)]
    head = _html_row("th", columns, right)
    body = "\n".join(_html_row("td", row, right) for row in shown)
    opened = '<table tabindex="0">'
    return f"{opened}\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _cell(value: Any, form: str) -> str:
    if not isinstance(value, float):
        return str(value)
    return "–" if math.isnan(value) else format(value, form)


def _html_row(tag: str, cells: Sequence[str], right: Sequence[bool]) -> str:
    row = ""
    for cell, is_right in zip(cells, right, strict=True):
        kind = ' class="n"' if is_right else ""
        row += f"<{tag}{kind}>{html.escape(cell, quote=False)}</{tag}>"
    return f"<tr>{row}</tr>"
