"""memxc report: print the report of a folder in one of several formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click  # noqa: TID251

from memxc import units
from memxc.cli import _options, _terminal
from memxc.cli._options import FOLDER
from memxc.errors import MemxcError, pasted

if TYPE_CHECKING:
    from memxc.build_folder.report.document import Report

#: Formats that are files in the folder.
_FILES = {"md": "report.md", "html": "report.html"}


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "md", "html", "csv"]),
    default="text",
    show_default=True,
    help="The format; csv is the table of stages.",
)
@_options.as_json
def command(folder: Path, form: str, as_json: bool) -> None:
    """Print the report in DIR: resources, power, latency, area, fidelity.

    As text, it also writes DIR/results/report.html: the page of compile with pictures of the
    circuit and with the results of verify, lvs and simulate.
    """
    from memxc.build_folder.read import manifest, report_only
    from memxc.build_folder.report.read import read, read_text

    found = manifest(folder)
    form = "json" if as_json else form
    if form in _FILES:
        _terminal.say(read_text(folder, _FILES[form]), end="")
        return
    report = read(folder)
    if form == "json":
        _terminal.document(report.tree())
    elif form == "csv":
        _terminal.say(_csv(report), end="")
    else:
        from memxc.build_folder.report.text import text

        _terminal.say(text(report))
        shown = "" if report_only(found) else f", or {pasted('memxc', 'show', folder)}"
        _terminal.say(f"\nMore: {_page(folder)}{shown}")


def _page(folder: Path) -> Path:
    """Write the page with pictures and results; return its path, or that of the page of compile."""
    from memxc.build_folder.page import whole
    from memxc.build_folder.read import CHECKS
    from memxc.build_folder.write import write_file

    place = folder / CHECKS / "report.html"
    text = whole.page(folder)
    try:
        write_file(place, text.encode("utf-8"))
    except MemxcError as error:
        for fault in error.faults:
            _terminal.warn(f"warning: the page with pictures is not written: {fault.what}")
        return folder / "report.html"
    return place


def _csv(report: Report) -> str:
    """The table of stages, with the bill of materials and the watts of each."""
    rows = [
        {**dict(bill), **dict(drawn)}
        for bill, drawn in zip(report.resources.stages, report.power.stages, strict=True)
    ]
    head = list(rows[0]) if rows else ["stage"]
    return units.spreadsheet([[*row.values()] for row in rows], head)
