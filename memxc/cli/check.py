"""memxc check: what becomes of each node of a model, before any work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click  # noqa: TID251

from memxc import units
from memxc.cli import _options, _terminal
from memxc.cli._options import MODEL
from memxc.errors import MemxcError, pasted, printable

if TYPE_CHECKING:
    from memxc.ir.graph import Graph
    from memxc.ops.lower import NodeRow


def _begin(args: list[str]) -> None:
    """Start the worker: it imports onnx while this process does."""
    from memxc import worker

    worker.start("memxc.frontend.native")


@click.command(cls=_options.Command, begin=_begin)
@click.argument("model", type=MODEL)
@_options.declared(of_network=True)
@_options.as_json
def command(model: Path, as_json: bool, **asked: Any) -> int:
    """Say what of MODEL becomes crossbars, what stays digital, and what is refused."""
    from memxc.frontend import choose_part
    from memxc.ops.lower import load_graph, survey

    graph = load_graph(*choose_part(model, **asked))
    found, faults = survey(graph)
    rows = _folded(found, graph)
    if as_json:
        _terminal.document(
            {
                "schema": "memxc-check/1",
                "nodes": [asdict(row) for row in rows],
                "faults": [asdict(fault) for fault in faults],
                "ok": not faults,
            }
        )
    else:
        names = units.names(row.node for row in rows)
        shown = [
            (name, printable(row.operator, 40), row.kind, printable(row.circuit, 60))
            for name, row in zip(names, rows, strict=True)
        ]
        _terminal.say(units.table(shown, ("node", "operator", "becomes", "circuit")))
        kinds = Counter(row.kind for row in rows)
        if any("@" in row.circuit for row in rows):
            _terminal.say("\ncircuit: groups * inputs + bias x outputs @ places of the map")
        _terminal.say("\n" + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    if faults:
        error = MemxcError(faults)
        _terminal.faults(error)
        return error.exit_code
    if not as_json:
        following = pasted("memxc", "compile", model, "-o", f"build/{model.stem}", *_words(asked))
        _terminal.say(f"Every node can be mapped. Next: {following}")
    return 0


def _words(asked: dict[str, Any]) -> Iterator[str]:
    """The options as another command line takes them."""
    from memxc.compiler.declaration import fields_of
    from memxc.compiler.options import Options

    for name, field in fields_of(Options).items():
        yield from field.words(asked.get(name, ()))


def _folded(rows: Iterable[NodeRow], graph: Graph) -> list[NodeRow]:
    """The rows as compile goes on from them: what fold-batchnorm takes away is no circuit."""
    from memxc.passes.fold_batchnorm import fold

    left = {node.name for node in fold(graph).nodes}
    return [
        row
        if row.node in left or row.kind == "refused"
        else replace(row, kind="folded", circuit="")
        for row in rows
    ]
