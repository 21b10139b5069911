"""Figures as files and pages keep them: PNG, and HTML with alt text."""

import base64
import html
import io

from matplotlib.figure import Figure
from PIL import Image

JPEG_QUALITY = 90
DPI, SHOWN_DPI = 160, 80  # two pixels for one: sharp on every screen, and in print


def img_tag(figure: Figure, alt: str) -> str:
    """Return a figure as a self-contained HTML <img> with alt text."""
    return mime_bundle(figure, alt)["text/html"]


def mime_bundle(figure: Figure, alt: str) -> dict[str, str]:
    """Return a figure by MIME type, as notebooks keep it: pages take the <img>, PDF the picture.

    PNG, unless JPEG takes less than half of it, as it does for paintings: a notebook holds both
    the <img> and the picture.
    """
    content, kind = png(figure), "image/png"
    picture, smaller = Image.open(io.BytesIO(content)), io.BytesIO()
    picture.convert("RGB").save(smaller, "JPEG", quality=JPEG_QUALITY)
    if 2 * smaller.tell() < len(content):
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
