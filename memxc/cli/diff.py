"""memxc diff: two compiled networks beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click  # noqa: TID251

from memxc.cli import _options, _terminal
from memxc.cli._options import FOLDER

if TYPE_CHECKING:
    from memxc.build_folder.diff import Limit


@click.command()
@click.argument("folder_a", type=FOLDER, metavar="DIR_A")
@click.argument("folder_b", type=FOLDER, metavar="DIR_B")
@click.option(
    "--budget",
    type=_options.GROWTH,
    help="Exit with 1 where B has more than that above A: an amount, or a share of A's.",
)
@_options.as_json
def command(folder_a: Path, folder_b: Path, budget: dict[str, Limit] | None, as_json: bool) -> int:
    """Compare the reports of DIR_A and DIR_B: settings, resources, power, latency, stages."""
    from memxc.build_folder import diff, stored
    from memxc.build_folder.read import manifest

    for folder in (folder_a, folder_b):
        manifest(folder)
    a, b = (stored.built(folder, diff.taken) for folder in (folder_a, folder_b))
    found = diff.compare(a, b)
    passed = diff.over(budget or {}, found)
    if as_json:
        _terminal.document({"a": str(folder_a), "b": str(folder_b), **found, "over": passed})
    else:
        _terminal.say(f"A: {folder_a}\nB: {folder_b}\n")
        _terminal.say(diff.text(found))
        moved = any(row["a"] != row["b"] for row in found["quantities"])
        if not (moved or found["settings"] or found["stages"]):
            _terminal.say("\nThe same, as far as the reports say.")
    for line in passed:
        _terminal.warn(line)
    return 1 if passed else 0
