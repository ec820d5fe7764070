"""memxc passes: list the passes."""

from __future__ import annotations

import dataclasses
import inspect

import click  # noqa: TID251

from memxc import plugins
from memxc.cli import _options, _terminal


@click.command()
@_options.as_json
def command(as_json: bool) -> None:
    """List the passes and their options, for --passes."""
    from memxc.interfaces import GraphPass, Pass
    from memxc.passes import available

    def row(kind: type[Pass]) -> dict[str, object]:
        return {
            "name": kind.name,
            "works_on": "graph" if issubclass(kind, GraphPass) else "design",
            "exact": kind.exact,
            "options": {f.name: f.default for f in dataclasses.fields(kind)},  # type: ignore[arg-type]
            "distribution": plugins.distribution("memxc.passes", kind.name),
            "summary": (inspect.getdoc(kind) or "").splitlines()[0],
        }

    rows = [row(kind) for kind in available().values()]
    if as_json:
        _terminal.document(rows)
        return
    for found in rows:
        options = found["options"]
        assert isinstance(options, dict)
        shown = ",".join(f"{key}={value}" for key, value in options.items())
        exact = "exact" if found["exact"] else "lossy"
        _terminal.say(
            f"{found['name']}{f'{{{shown}}}' if shown else ''}  ({found['works_on']}, {exact})"
            f" {plugins.note('memxc.passes', str(found['name']))}".rstrip()
        )
        _terminal.say(f"    {found['summary']}")
    _terminal.say('\nUse: memxc compile MODEL.onnx -o DIR --passes "a{x=1},b"')
