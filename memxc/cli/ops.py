"""memxc ops: list the operators that have a circuit."""

from __future__ import annotations

import click  # noqa: TID251

from memxc import plugins, units
from memxc.cli import _options, _terminal


@click.command()
@_options.as_json
def command(as_json: bool) -> None:
    """List the ONNX operators that have a circuit, and the attributes that are covered."""
    from memxc import ops

    columns = ops.available()
    if as_json:
        _terminal.document(
            [
                {
                    "name": c.name,
                    "since": c.since,
                    "attributes": list(c.attrs),
                    "distribution": plugins.distribution("memxc.ops", c.name),
                }
                for c in columns.values()
            ]
        )
        return
    rows = [
        (
            column.name,
            f"opset {column.since}",
            f"{', '.join(column.attrs) or '-'} {plugins.note('memxc.ops', column.name)}".rstrip(),
        )
        for column in columns.values()
    ]
    _terminal.say(units.table(rows, ("operator", "from", "attributes covered")))
    _terminal.say("\nA model of opset 6 is read as one of opset 7.")
    _terminal.say("To check a model: memxc check MODEL.onnx")
