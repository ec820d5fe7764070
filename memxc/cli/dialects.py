"""memxc dialects: list the dialects of SPICE in which a netlist can be written."""

from __future__ import annotations

import click  # noqa: TID251

from memxc import plugins
from memxc.cli import _options, _terminal


@click.command()
@_options.as_json
def command(as_json: bool) -> None:
    """List the SPICE dialects that --dialect knows."""
    from memxc import render

    found = render.dialects()
    if as_json:
        _terminal.document(
            [
                {
                    "name": name,
                    "suffix": suffix,
                    "distribution": plugins.distribution("memxc.dialects", name),
                }
                for name, suffix in found.items()
            ]
        )
        return
    for name, suffix in found.items():
        _terminal.say(
            f"{name}  netlist/MODEL.{suffix} {plugins.note('memxc.dialects', name)}".rstrip()
        )
    _terminal.say("\nUse: memxc compile MODEL.onnx -o DIR --dialect NAME")
