"""Fill templates: cells and heads of netlists, and pages of reports. Only this room uses jinja2."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2  # noqa: TID251

from memxc import plugins, units
from memxc.errors import printable, shortened

#: Blocks of a dialect's template that make the head of the netlist; the others are forms of cards.
HEAD = frozenset(["title", "ports", "supplies", "includes"])
#: Characters with a meaning in Markdown, in a line or a table cell.
_MARKDOWN = str.maketrans(
    {c: f"\\{c}" for c in "\\`*_{}[]()#+-.!|~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)


def cell(template: str, language: str = "cir", /, **values: object) -> str:
    """Return the text of a cell, `templates/cells/<template>.<language>.j2`; va is Verilog-A.

    A template may print strings and integers only. A float has to pass the filter `num`, so that no
    `np.float64(0.17)` and no engineering suffix reaches a netlist; otherwise TypeError is raised.
    """
    return _spice().get_template(f"cells/{template}.{language}.j2").render(values)


def netlist(dialect: str, /, **values: object) -> str:
    """Return a netlist's head, `templates/spice/<dialect>.<suffix>.j2`; numbers as in `cell`."""
    return _spice().get_template(f"spice/{dialect}.{dialects()[dialect]}.j2").render(values)


@cache
def forms(dialect: str) -> dict[str, str]:
    """Return the forms of a dialect's cards, {name: text with a {place} for each value}.

    They are the blocks of `templates/spice/cards.j2`, and in their place those of the dialect's own
    template.
    """
    found: dict[str, str] = {}
    for name in ("spice/cards.j2", f"spice/{dialect}.{dialects()[dialect]}.j2"):
        template = _spice().get_template(name)
        for block, lines in template.blocks.items():
            if block not in HEAD:
                found[block] = "".join(lines(template.new_context())).removesuffix("\n")
    return found


def report(page: str, /, **values: object) -> str:
    """Return a report page, `templates/report/<page>.j2`; HTML pages escape every value."""
    return _pages().get_template(f"report/{page}.j2").render(values)


def folder() -> Path:
    """Return the folder of the templates: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def dialects() -> dict[str, str]:
    """Return SPICE dialects with their suffixes, from `templates/spice/<dialect>.<suffix>.j2`."""
    parts = (path.name.split(".") for path in sorted((folder() / "spice").glob("*.j2")))
    ours = {part[0]: part[1] for part in parts if len(part) == 3}
    plugged = plugins.added("memxc.dialects", ours, _no_dialect)
    suffixes = ours | {name: plugin.value.name.split(".")[1] for name, plugin in plugged.items()}
    return {name: suffix for name, suffix in sorted(suffixes.items()) if name != "base"}


def markdown(text: object, limit: int = 200) -> str:
    """Return a text as one harmless line of Markdown for a table cell; it loses a long middle."""
    return shortened(str(text), limit).translate(_MARKDOWN)


def number(value: float) -> str:
    """Return a number as a netlist writes it."""
    return f"{float(value):.9e}"


def _no_dialect(name: str, value: Any) -> str | None:
    """Return why an object is not the template of a dialect; None if it is."""
    if not isinstance(value, Path):
        return "is not a pathlib.Path"
    if not re.fullmatch(rf"{re.escape(name)}\.[a-z0-9]+\.j2", value.name):
        return f"is {value.name!r}, not a file {name}.SUFFIX.j2"
    return None if value.is_file() else "names a file that does not exist"


def _plugged_template(name: str) -> str | None:
    """Return the template of a plug-in's dialect by its name among the templates, or None."""
    plugin = plugins.owner("memxc.dialects", name.removeprefix("spice/").partition(".")[0])
    if plugin is None or name != f"spice/{plugin.value.name}":
        return None
    text: str = plugin.value.read_text("utf-8")
    return text


def _environment(**options: Any) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.FileSystemLoader(folder()), jinja2.FunctionLoader(_plugged_template)]
        ),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )


def _plain(value: object) -> object:
    """Return the value, or raise TypeError if it is neither a string nor an integer."""
    if type(value) not in (str, int) and not isinstance(value, jinja2.Undefined):
        raise TypeError(f"{value!r} goes into a netlist: pass it through the filter `num`")
    return value


@cache
def _spice() -> jinja2.Environment:
    # A netlist is not HTML: escaping would break it. Names are sanitised before they come here.
    environment = _environment(autoescape=False, finalize=_plain)
    environment.filters["num"] = number
    return environment


@cache
def _pages() -> jinja2.Environment:
    environment = _environment(autoescape=lambda name: ".html" in (name or ""))
    environment.filters |= {
        "md": markdown,
        "printable": printable,
        "shortened": shortened,
        "si": units.text,
        "area": units.area,
        "count": units.count,
        "share": units.share,
        "lost": units.lost,
        "small": units.small,
    }
    return environment
