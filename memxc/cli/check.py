"""memxc check: tell what each node of a model becomes, before anything is compiled."""

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


#: From this number of multipliers on, a node is warned of.
_MANY = 10_000


def _begin(args: list[str]) -> None:
    """Start the worker early: it imports onnx while this process imports its own modules."""
    from memxc import worker

    worker.start("memxc.frontend.native")


@click.command(cls=_options.Command, begin=_begin)
@click.argument("model", type=MODEL)
@_options.declared(of_network=True)
@_options.as_json
def command(model: Path, as_json: bool, digital: tuple[str, ...], **asked: Any) -> int:
    """Tell which nodes of MODEL become crossbars, stay digital, or are refused."""
    from memxc.frontend import choose_part
    from memxc.ops.lower import load_graph, survey

    part = choose_part(model, **asked)
    graph = load_graph(*part)
    found, faults = survey(graph, digital)
    if digital and not faults:
        # What the islands are made of shows only when they are made.
        _, faults = survey(load_graph(*part, digital))
    rows = list(_folded(found, graph, digital))
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
            _terminal.say("\ncircuit of a crossbar: groups * inputs + bias x outputs @ places")
        _terminal.say("\n" + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    _terminal.warnings(_costly(rows))
    if faults:
        error = MemxcError(faults)
        _terminal.faults(error)
        return error.exit_code
    if not as_json:
        words = _words({**asked, "digital": digital})
        following = pasted("memxc", "compile", model, "-o", f"build/{model.stem}", *words)
        _terminal.following(following, "Every node can be mapped. ")
    return 0


def _costly(rows: Iterable[NodeRow]) -> Iterator[str]:
    """Warnings about nodes that need very many multipliers."""
    for row in rows:
        if row.multipliers >= _MANY:
            yield (
                f"{row.node} ({row.operator}) needs {row.multipliers:,} analog multipliers of "
                f"several op-amps each; --digital {row.node} keeps it digital"
            )


def _words(asked: dict[str, Any]) -> Iterator[str]:
    """The arguments that give these options to the next command."""
    from memxc.compiler.declaration import fields_of
    from memxc.compiler.options import Options

    for name, field in fields_of(Options).items():
        yield from field.words(asked.get(name, ()))


def _folded(rows: Iterable[NodeRow], graph: Graph, digital: tuple[str, ...]) -> Iterator[NodeRow]:
    """The rows as compile folds the network: a layer may get a bias from a node that is folded."""
    from memxc.ops.lower import survey
    from memxc.passes.fold_batchnorm import fold_normalisations

    left = {row.node: row for row in survey(fold_normalisations(graph), digital)[0]}
    for row in rows:
        if row.kind == "refused":
            yield row
        elif row.node in left:
            yield replace(row, circuit=left[row.node].circuit)
        else:
            yield replace(row, kind="folded", circuit="")
