"""memxc lvs: compare the text of the netlist with the programmed design (layout vs schematic)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click  # noqa: TID251

from memxc import units
from memxc.cli import _options, _results, _terminal
from memxc.cli._options import FOLDER
from memxc.errors import pasted, printable

if TYPE_CHECKING:
    from memxc.lvs import NetlistComparison

#: Differences shown on a terminal; --json has all of them.
_SHOWN = 20


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@_options.as_json
def command(folder: Path, as_json: bool) -> int:
    """Read back the netlist and the tables in DIR, and compare them with the design."""
    from memxc.build_folder.kept import Compared
    from memxc.library.build import load

    found = load(folder).lvs()
    _results.keep(folder, "lvs", {}, compared=Compared.of(found))
    if as_json:
        tree = {"schema": "memxc-lvs/1", **asdict(found), "ok": found.ok}
        _terminal.document(tree)
    else:
        _say(found, folder)
    return 0 if found.ok else 1


def _say(found: NetlistComparison, folder: Path) -> None:
    for name in found.changed:
        _terminal.warn(f"changed since it was compiled: {printable(name)}")
    for each in found.differences[:_SHOWN]:
        where = f"{printable(each.file)}:{each.line}: {printable(each.where)}"
        _terminal.say(f"{where}: {printable(each.found)}, should be {printable(each.expected)}")
    for cell in found.user_cells[:_SHOWN]:
        where = f"{printable(cell.file)}:{cell.line}: {printable(cell.name)}"
        _terminal.say(
            f"{where} is your own cell: lvs does not check it, and memxc verify simulates it alone"
        )
    more = len(found.differences) - _SHOWN
    if more > 0:
        _terminal.say(f"... and {more:,} more (--json lists them all)")
    counts = {
        "device": found.devices, "instance": found.instances, "net": found.connections,
        "row": found.rows,
    }  # fmt: skip
    lines = ", ".join(units.some(count, word) for word, count in counts.items())
    if found.differences:
        _terminal.say(f"FAILED: {units.some(len(found.differences), 'difference')} in {lines}.")
        gains = _own_gains(found)
        if gains:
            _terminal.following(
                "set amplifier.gain of the target to the gain that your own cells have "
                f"({', '.join(gains)}), and compile the model again"
            )
        else:
            _terminal.following("compile the model again, or undo the change")
    else:
        count = len(found.user_cells)
        own = f", except for {units.some(count, 'cell')} of your own" if count else ""
        _terminal.say(f"ok: {lines}; the netlist and its tables agree with the design{own}.")
        _terminal.following(pasted("memxc", "verify" if own else "report", folder))


def _own_gains(found: NetlistComparison) -> list[str]:
    """The gains of a user's own amplifiers that differ from the target's.

    memxc writes its own cells with the gain of the target. So another gain, in a folder that was
    not changed, is that of a cell that the user gave.
    """
    differences = [] if found.changed else found.differences
    gains = (printable(each.found) for each in differences if each.where.endswith(" gain"))
    return list(dict.fromkeys(gains))
