"""memxc report: what compile found, in the form that is wanted."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import click  # noqa: TID251

from memxc.cli import _options, _reports, _terminal
from memxc.cli._options import FOLDER
from memxc.errors import pasted

#: Formats that stand in the folder as they are.
_FILES = {"json": "report.json", "md": "report.md", "html": "report.html"}


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
    from memxc.folder import manifest, report_only

    found = manifest(folder)
    form = "json" if as_json else form
    if form in _FILES:
        _terminal.say(_reports.read(folder, _FILES[form]), end="")
    elif form == "csv":
        _terminal.say(_reports.built(folder, _csv), end="")
    else:
        _terminal.say(_reports.built(folder, _text))
        shown = "" if report_only(found) else f", or {pasted('memxc', 'show', folder)}"
        _terminal.say(f"\nMore: {folder / 'report.html'}{shown}")


def _text(report: dict[str, Any]) -> str:
    from memxc.report import text

    return text(report)


def _csv(report: dict[str, Any]) -> str:
    stages = report["resources"]["stages"]
    powers = [{k: v for k, v in row.items() if k != "stage"} for row in report["power"]["stages"]]
    rows = [{**row, **watts} for row, watts in zip(stages, powers, strict=True)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["stage"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
