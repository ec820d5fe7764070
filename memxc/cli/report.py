"""memxc report: what compile found, in the form that is wanted."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click  # noqa: TID251

from memxc.cli import _options, _terminal
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
        _terminal.say(_read(folder, _FILES[form]), end="")
    elif form == "csv":
        _terminal.say(_built(folder, _csv), end="")
    else:
        _terminal.say(_built(folder, _text))
        _terminal.say(f"\nMore: {folder / 'report.html'}, or memxc show {folder}")


def _built(folder: Path, build: Callable[[dict[str, Any]], str]) -> str:
    """Text made from report.json, which may have been changed by hand."""
    try:
        tree: dict[str, Any] = json.loads(_read(folder, _FILES["json"]))
        if tree["schema"] != "memxc-report/1":
            raise ValueError("it has another schema")
        return build(tree)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        what = f"cannot be read: {type(error).__name__}: {error}"
        raise fail("bad-design", str(folder / "report.json"), what, "compile again") from error


def _text(report: dict[str, Any]) -> str:
    from memxc.report import text

    return text(report)


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail("bad-design", str(folder / name), str(error), "compile again") from error


def _csv(report: dict[str, Any]) -> str:
    stages = report["resources"]["stages"]
    powers = [{k: v for k, v in row.items() if k != "stage"} for row in report["power"]["stages"]]
    rows = [{**row, **watts} for row, watts in zip(stages, powers, strict=True)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["stage"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
