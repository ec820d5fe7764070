"""memxc targets: list the targets, or print one."""

from __future__ import annotations

import click  # noqa: TID251

from memxc import plugins, units
from memxc.cli import _options, _terminal


@click.command()
@click.argument("name", required=False)
@_options.as_json
def command(name: str | None, as_json: bool) -> None:
    """List the targets, which describe devices, wires, amplifiers and the unit crossbar.

    With NAME, print the TOML file of this target, to begin one of your own.
    """
    from memxc import target

    if name is not None:
        if as_json:
            _terminal.document(target.load(name).model_dump(mode="json"))
        else:
            _terminal.say(target.text(name).rstrip("\n"))
        return
    found = [target.load(name) for name in target.names()]
    if as_json:
        _terminal.document(
            [
                t.model_dump(mode="json")
                | {"distribution": plugins.distribution("memxc.targets", t.name)}
                for t in found
            ]
        )
        return
    _terminal.say(
        units.table(
            [
                (t.name, f"{t.summary} {plugins.note('memxc.targets', t.name)}".rstrip())
                for t in found
            ]
        )
    )
    _terminal.say(
        "\nA target of your own is a TOML file with the same keys, -t mine.toml."
        "\nBegin with a copy: memxc targets hfox-128 > mine.toml"
    )
