"""memxc diff: compare two compiled networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click  # noqa: TID251

from memxc.cli import _options, _terminal
from memxc.cli._options import FOLDER

if TYPE_CHECKING:
    from memxc.build_folder.quantities import Limit


@click.command()
@click.argument("folder_a", type=FOLDER, metavar="DIR_A")
@click.argument("folder_b", type=FOLDER, metavar="DIR_B")
@click.option(
    "--budget",
    type=_options.GROWTH,
    help="Exit with 1 if B exceeds A by more than this. A limit is an amount, or per cent of A's "
    "figure.",
)
@click.option("--markdown", is_flag=True, help="Print Markdown, for a comment on a pull request.")
@_options.as_json
def command(
    folder_a: Path, folder_b: Path, budget: dict[str, Limit] | None, markdown: bool, as_json: bool
) -> int:
    """Compare the reports in DIR_A and DIR_B: settings, resources, power, latency, stages."""
    from memxc.build_folder import diff
    from memxc.build_folder.read import manifest
    from memxc.build_folder.report.read import read

    for folder in (folder_a, folder_b):
        manifest(folder)
    a, b = (diff.taken(str(folder), read(folder)) for folder in (folder_a, folder_b))
    found = diff.compare(a, b, budget or {})
    if as_json:
        _terminal.document(found.tree())
    elif markdown:
        _terminal.say(diff.markdown(found))
    else:
        _terminal.say(f"A: {folder_a}\nB: {folder_b}\n")
        _terminal.say(diff.text(found))
        if found.same:
            _terminal.say("\nThe reports are the same.")
    for line in found.over:
        _terminal.warn(line)
    return 1 if found.over else 0
