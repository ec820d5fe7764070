"""memxc report: what compile found, in the form that is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click  # noqa: TID251

from memxc import units
from memxc.cli import _options, _terminal
from memxc.cli._options import FOLDER
from memxc.errors import pasted

#: Formats that stand in the folder as they are.
_FILES = {"md": "report.md", "html": "report.html"}


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "md", "html", "csv"]),
    default="text",
    show_default=True,
    help="csv is the table of stages.",
)
@_options.as_json
def command(folder: Path, form: str, as_json: bool) -> None:
    """Print the report of DIR: resources, power, latency, area, fidelity."""
    from memxc.build_folder import stored
    from memxc.build_folder.read import manifest, report_only

    found = manifest(folder)
    form = "json" if as_json else form
    if form in _FILES:
        _terminal.say(stored.read(folder, _FILES[form]), end="")
    elif form in ("json", "csv"):
        made = stored.built(folder, _json if form == "json" else _csv)
        _terminal.say(made, end="")
    else:
        _terminal.say(stored.built(folder, _text))
        shown = "" if report_only(found) else f", or {pasted('memxc', 'show', folder)}"
        _terminal.say(f"\nMore: {folder / 'report.html'}{shown}")


def _text(report: dict[str, Any]) -> str:
    from memxc.build_folder.report import text

    return text(report)


def _json(report: dict[str, Any]) -> str:
    from memxc.ir.store import dumps

    return dumps(report)


def _csv(report: dict[str, Any]) -> str:
    stages = report["resources"]["stages"]
    powers = [{k: v for k, v in row.items() if k != "stage"} for row in report["power"]["stages"]]
    rows = [{**row, **watts} for row, watts in zip(stages, powers, strict=True)]
    head = list(rows[0]) if rows else ["stage"]
    return units.spreadsheet([[row[key] for key in head] for row in rows], head)
