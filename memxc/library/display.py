"""How a Build is shown: as one line, and as HTML in a notebook."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Protocol

from memxc import units
from memxc.build_folder.report.document import Report
from memxc.build_folder.report.text import summary
from memxc.errors import MemxcError, printable


class Shown(Protocol):
    """What is shown of a Build."""

    folder: Path

    @property
    def name(self) -> str:
        """The name of the network."""

    @property
    def report(self) -> Report:
        """The report."""

    @property
    def ok(self) -> bool:
        """False if the comparison with the original network failed."""


def line(build: Shown) -> str:
    """The build in one line, also if its report cannot be read."""
    try:
        total, target = build.report.resources.total, build.report.target.name
        counts = f"{units.some(total.crossbars, 'crossbar')}, "
        counts += units.some(total.memristors, "memristor")
        name = printable(build.name, 40)
    except MemxcError:
        return f"<memxc.Build of {str(build.folder)!r}, whose report cannot be read>"
    failed = "" if build.ok else ", FAILED the comparison with the original network"
    return f"<memxc.Build {name!r} for {printable(target, 40)}: {counts}{failed}>"


def head(build: Shown) -> str:
    """The head of the report in HTML."""
    lines = (f"<li>{html.escape(printable(text))}</li>" for text in summary(build.report))
    title = html.escape(f"{printable(build.name)} for {printable(build.report.target.name)}")
    return f"<p><b>{title}</b></p><ul>{''.join(lines)}</ul>"
