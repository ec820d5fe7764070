"""What becomes of each node, for a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memxc.errors import Fault
from memxc.ir.design import Bus
from memxc.ir.graph import Node
from memxc.ir.stages import Array, Digital, Lanes, Linear, Rename, Stage
from memxc.ops._call import Parts

_CELLS = {
    "memristor": "crossbar",
    "batchnorm": "scale and bias",
    "resistor": "fixed resistors",
}


@dataclass(frozen=True)
class NodeRow:
    """What becomes of one node.

    kind: crossbar, scale and bias (memristors on no crossbar), fixed resistors, lanes, wires,
    digital or refused.
    circuit: what it is built of, or why it is refused.
    multipliers: how many products of two signals it has, each an analog multiplier.
    """

    node: str
    operator: str
    kind: str
    circuit: str
    multipliers: int = 0


def row(node: Node, parts: Parts, faults: Sequence[Fault]) -> NodeRow:
    """Return what becomes of a node, by its stages and faults."""
    if faults:
        return NodeRow(node.name, node.op, "refused", faults[0].what)
    stages = [part for part in parts if not isinstance(part, Bus)]
    kinds = dict.fromkeys(_kind(stage) for stage in stages)
    circuits = dict.fromkeys(_circuit(stage) for stage in stages)
    multipliers = sum(
        stage.circuit.multipliers * stage.taps[0].places * stage.taps[0].groups
        for stage in stages
        if isinstance(stage, Lanes)
    )
    built = ", ".join(filter(None, circuits))
    return NodeRow(node.name, node.op, ", ".join(kinds), built, multipliers)


def _kind(stage: Stage) -> str:
    match stage:
        case Linear() | Array():
            return _CELLS[stage.cell]
        case Lanes():
            return "lanes"
        case Rename():
            return "wires"
        case Digital():
            return "digital"


def _circuit(stage: Stage) -> str:
    match stage:
        case Linear():
            return " ".join(dict.fromkeys(map(str, stage.kernels)))
        case Lanes():
            return stage.circuit.name
        case Digital():
            operators = stage.subgraph.operators if stage.subgraph else (stage.function,)
            return ", ".join(dict.fromkeys(operators))
        case _:
            return ""
