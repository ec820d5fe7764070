"""memxc merge: join the shards of simulate or explore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click  # noqa: TID251

from memxc import units
from memxc.cli import _terminal
from memxc.cli._options import FOLDER
from memxc.errors import pasted

if TYPE_CHECKING:
    from memxc.simulate.merge import JoinedPlan

#: Numbers of results that are listed.
_LISTED = 10


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.argument("parts", type=FOLDER, metavar="[PART_DIR]...", nargs=-1)
def command(folder: Path, parts: tuple[Path, ...]) -> int:
    """Join the results of shards: those in DIR, and those in copies of it, in any order.

    Afterwards the same simulate or explore without --shard finds every result in DIR.
    """
    from memxc import exploration
    from memxc.library import circuits

    if exploration.is_exploration(folder):
        joined = exploration.joined(folder, parts)
        _terminal.say(f"{units.some(joined, 'point')} joined to those in {folder / 'points'}")
        _terminal.following(f"the same memxc explore with -o {pasted(folder)}, without --shard")
        return 0
    found = circuits.merged(folder, parts, _terminal.warn)
    for one in found:
        _say(one)
    if any(one.missing for one in found):
        return 1
    _terminal.following(f"the same memxc simulate {pasted(folder)} without --shard")
    return 0


def _say(one: JoinedPlan) -> None:
    _terminal.say(
        f"plan {one.plan}: {one.added:,} of {units.some(one.total, 'result')} added, "
        f"{one.total - len(one.missing):,} known"
    )
    for line in one.spoilt:
        _terminal.warn(f"warning: {line}")
    if one.missing:
        numbers = ", ".join(f"{number + 1}" for number in one.missing[:_LISTED])
        more = " ..." * (len(one.missing) > _LISTED)
        _terminal.warn(
            f"plan {one.plan}: {units.some(len(one.missing), 'result')} missing: numbers "
            f"{numbers}{more}; with N shards, result n is of shard (n - 1) mod N + 1"
        )
