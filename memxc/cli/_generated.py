"""Write the files that are made from declarations: python -m memxc.cli._generated.

These are the tables of options in docs/cli.md and docs/library.md, the keywords of memxc.compile,
the JSON schemas of the documents, and docs/report-keys.md.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click  # noqa: TID251

import memxc
from memxc.build_folder import schemas
from memxc.cli import compile as compiling
from memxc.compiler.declaration import fields_of
from memxc.compiler.options import Options, Settings
from memxc.exploration.document import Explored

ROOT = Path(memxc.__file__).parents[1]
START, END = "<!-- options of compile: begin -->\n", "<!-- options of compile: end -->\n"

_KEYWORDS = '''\
"""The keywords of memxc.compile. Written by python -m memxc.cli._generated; do not edit by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypedDict


class Keywords(TypedDict, total=False):
    """The options of a compilation as keywords of memxc.compile, in the words of the command line.

{told}
    """

{fields}
'''


def files() -> Iterator[tuple[Path, str]]:
    """Yield each file that is made from declarations: its path in a checkout, and its text."""
    yield from schemas.files({"memxc-explore-1.json": (Explored, "memxc explore: explore.json")})
    yield _page("cli.md", table(compiling.command))
    rows = [
        f"| `{name}` | `{kind.replace('|', chr(92) + '|')}` | `{flag}` |"
        for name, kind, flag, _ in _keywords()
    ]
    head = ["| keyword | value | option in [cli.md](cli.md#compile) |", "|---|---|---|"]
    yield _page("library.md", "".join(f"{row}\n" for row in (*head, *rows)))
    told = [
        textwrap.fill(f"{name}: {text}", 100, initial_indent=" " * 4, subsequent_indent=" " * 4)
        for name, _, _, text in _keywords()
    ]
    fields = [_field(name, kind) for name, kind, _, _ in _keywords()]
    text = _KEYWORDS.format(told="\n".join(told), fields="\n".join(fields))
    yield Path("memxc", "library", "options.py"), text


def _page(name: str, rows: str) -> tuple[Path, str]:
    """A page of docs/ with a table between its marks."""
    path = Path("docs", name)
    before, _, rest = (ROOT / path).read_text("utf-8").partition(START)
    _, _, after = rest.partition(END)
    return path, f"{before}{START}{rows}{END}{after}"


def _keywords() -> Iterator[tuple[str, str, str, str]]:
    """Yield each option of a compilation: its name, its type in Python, its flag and its help."""
    hints = get_type_hints(Settings)
    for name, declared in fields_of(Settings).items():
        yield name, _written(hints[name]), declared.option.flag, declared.option.help


def _written(kind: Any) -> str:
    """A type as it is written in Python. Where several values may be given, one alone may be."""
    args = get_args(kind)
    match get_origin(kind):
        case None:
            return "None" if kind is NoneType else str(kind.__name__)
        case origin if origin is Literal:
            return f"Literal[{', '.join(map(json.dumps, args))}]"
        case origin if origin in (Union, UnionType):
            return " | ".join(map(_written, args))
        case origin if origin is Mapping:
            return f"Mapping[{', '.join(map(_written, args))}]"
    if args[1:] == (...,):
        return f"{_written(args[0])} | tuple[{_written(args[0])}, ...]"
    return f"tuple[{', '.join(map(_written, args))}]"


def _field(name: str, kind: str) -> str:
    """The line that declares a keyword. If it is too long, its types are on lines of their own."""
    line = f"    {name}: {kind}"
    if len(line) <= 100:
        return line
    kinds = kind.replace(" | ", "\n        | ")
    return f"    {name}: (\n        {kinds}\n    )"


def table(command: click.Command) -> str:
    """The options of a command as a table in Markdown: flags, default, help."""
    rows = ["| option | default | |", "|---|---|---|"]
    return "".join(f"{row}\n" for row in (*rows, *_rows(command)))


def _rows(command: click.Command) -> Iterator[str]:
    context = click.Context(command)
    for param in command.get_params(context):
        if isinstance(param, click.Option) and param.help and "--help" not in param.opts:
            value = "" if param.is_flag else f" {_form(param, context)}"
            cells = (f"`{', '.join(param.opts)}{value}`", _default(param), _words(param))
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _form(param: click.Option, context: click.Context) -> str:
    if isinstance(param.type, click.Choice):
        return "|".join(map(str, param.type.choices))
    return param.metavar or param.type.name.upper()


def _default(param: click.Option) -> str:
    if isinstance(param.show_default, str):
        return param.show_default
    default = param.default[0] if isinstance(param.default, list) else param.default
    return f"`{default}`" if param.show_default else ""


def _words(param: click.Option) -> str:
    field = fields_of(Options).get(str(param.name))
    page = field.option.page if field else ""
    return f"{param.help} ([{page}]({page}))" if page else str(param.help)


if __name__ == "__main__":
    for path, text in files():
        (ROOT / path).write_text(text, "utf-8")
