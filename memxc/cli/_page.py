"""Write the table of options: python -m memxc.cli._page docs/cli.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click  # noqa: TID251

from memxc.cli import compile as compiling
from memxc.compiler.declaration import fields_of
from memxc.compiler.options import Options

START, END = "<!-- options of compile: begin -->\n", "<!-- options of compile: end -->\n"


def page(text: str) -> str:
    """A page with the table of today's options between the marks."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{table(compiling.command)}{END}{after}"


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
    place = Path(sys.argv[1])
    place.write_text(page(place.read_text("utf-8")), "utf-8")
