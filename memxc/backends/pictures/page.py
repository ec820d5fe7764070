"""The look of all pictures of a page, and their SVG, which is a part of the page's HTML."""

from __future__ import annotations

import importlib.util
import io
import re
import warnings
from collections.abc import Callable
from typing import Any

from memxc.errors import printable, shortened

#: Text and lines are drawn in this colour, which is then replaced by that of the page's text, so
#: that a picture can be read on a dark page, too.
INK = "#010203"
_COLORS = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")


def possible() -> bool:
    """Return whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def label(text: str, limit: int) -> str:
    """Return a name of the model as one short line that matplotlib does not take for a formula."""
    return printable(shortened(text, limit)).replace("$", r"\$")


def svg(name: str, draw: Callable[[], Any]) -> str:
    """Return the SVG of the figure that `draw` returns; equal figures give equal text.

    name: one word, different for each picture of a page. Ids begin with it.
    """
    import matplotlib as mpl  # noqa: PLC0415, TID251  (an extra, slow)

    look: dict[Any, Any] = {
        "svg.fonttype": "path", "svg.hashsalt": name,
        "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
        "font.family": ["DejaVu Sans"], "font.size": 9.0, "axes.titlesize": 9.0,
        "axes.spines.top": False, "axes.spines.right": False, "image.interpolation": "none",
    }  # fmt: skip
    data = io.BytesIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context(look | dict.fromkeys(_COLORS, INK)), warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box, and an infinite number is not drawn.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        draw().savefig(data, format="svg", metadata=nothing)
    text = data.getvalue().decode("utf-8")
    for pattern, new in (
        (r"^.*?(?=<svg)|<metadata>.*?</metadata>", ""),
        (r' xmlns(?::\w+)?="[^"]*"|(?<=<g) id="[^"]*"', ""),
        (r"\s+", " "),
        (r"(?<=>) (?=<)", ""),
        ("xlink:href", "href"),
        ("DejaVuSans-", ""),
        (INK, "currentColor"),
        (r'( id="|href="#|url\(#)', rf"\g<1>{name}-"),
    ):
        text = re.sub(pattern, new, text, flags=re.DOTALL)
    return text
