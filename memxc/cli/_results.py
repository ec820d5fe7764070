"""Keep the results of a command for the page of `memxc report`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from memxc.cli import _terminal
from memxc.errors import MemxcError

if TYPE_CHECKING:
    from memxc.build_folder.kept import Command
    from memxc.documents import Part


def keep(folder: Path, command: Command, asked: Mapping[str, object], **document: Part) -> None:
    """Keep a result in folder/results, or say why it is not kept: the command itself is done."""
    from memxc.build_folder import kept

    try:
        kept.keep(folder, command, asked, **document)
    except MemxcError as error:
        for fault in error.faults:
            _terminal.warn(f"warning: memxc report will not show this result: {fault.what}")
