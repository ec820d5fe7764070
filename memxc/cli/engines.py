"""memxc engines: list the SPICE engines that verify can use."""

from __future__ import annotations

import click  # noqa: TID251

from memxc import plugins, units
from memxc.cli import _options, _terminal


@click.command()
@_options.as_json
def command(as_json: bool) -> None:
    """List the SPICE engines, and which of them are installed here."""
    from memxc import engines

    found = {name: engines.get(name).version() for name in engines.names()}
    if as_json:
        _terminal.document(
            [
                {
                    "name": name,
                    "version": version,
                    "distribution": plugins.distribution("memxc.engines", name),
                }
                for name, version in found.items()
            ]
        )
        return
    rows = [
        (name, f"{version or 'not installed'} {plugins.note('memxc.engines', name)}".rstrip())
        for name, version in found.items()
    ]
    _terminal.say(units.table(rows))
    _terminal.say("\nUse: memxc verify DIR --engine NAME. memxc doctor checks that they work.")
