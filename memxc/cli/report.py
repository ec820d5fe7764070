"""memxc report: what compile found, in the form that is wanted."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import click  # noqa: TID251

from memxc.cli import _options
from memxc.cli._options import FOLDER
from memxc.errors import fail

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
    from memxc.folder import manifest

    manifest(folder)
    form = "json" if as_json else form
    if form in _FILES:
        click.echo(_read(folder, _FILES[form]), nl=False)
        return
    report = _tree(folder)
    if form == "csv":
        click.echo(_csv(report), nl=False)
        return
    from memxc.report import text

    click.echo(text(report))
    click.echo(f"\nMore: {folder / 'report.html'}, or memxc show {folder}")


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail("bad-design", str(folder / name), str(error), "compile again") from error


def _tree(folder: Path) -> dict[str, Any]:
    try:
        tree: dict[str, Any] = json.loads(_read(folder, "report.json"))
        assert tree["schema"] == "memxc-report/1", "report.json has another schema"
    except (ValueError, KeyError, TypeError, AssertionError, RecursionError) as error:
        what = f"cannot be read: {error}"
        raise fail("bad-design", str(folder / "report.json"), what, "compile again") from error
    return tree


def _csv(report: dict[str, Any]) -> str:
    stages = report["resources"]["stages"]
    powers = [{k: v for k, v in row.items() if k != "stage"} for row in report["power"]["stages"]]
    rows = [{**row, **watts} for row, watts in zip(stages, powers, strict=True)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["stage"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
