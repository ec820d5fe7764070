"""memxc ops: the operators that have a circuit."""

from __future__ import annotations

import click  # noqa: TID251

from memxc import plugins, units
from memxc.cli import _options, _terminal


@click.command()
@_options.as_json
def command(as_json: bool) -> None:
    """List the ONNX operators that can be mapped, with the attributes they cover."""
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
    _terminal.say("\nModels of opset 6 are read as ones of opset 7.")
    _terminal.say("What of a model can be mapped: memxc check MODEL.onnx")
