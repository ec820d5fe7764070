"""Is it a network at all: known operators, no cycle, ONNX's own checker content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx  # noqa: TID251

from memxc.errors import Fault, MemxcError, fail, printable

_STANDARD = ("", "ai.onnx")


def check(model: onnx.ModelProto, where: str) -> None:
    """Raise MemxcError with everything that keeps the model from being a network."""
    faults = [*_operators(model, where), *_order(model.graph, where)]
    if faults:
        raise MemxcError(faults)
    try:
        onnx.checker.check_model(model)
    # The checker throws C++ types of many kinds, and what it reads is hostile input.
    except Exception as error:
        raise fail("broken-model", where, _first_lines(str(error))) from error


def _operators(model: onnx.ModelProto, where: str) -> Iterable[Fault]:
    opset = next(o.version for o in model.opset_import if o.domain in _STANDARD)
    for node in model.graph.node:
        place = f"{where}:{node.name or node.op_type}"
        if node.domain not in _STANDARD:
            yield Fault(
                "unsupported-op",
                place,
                f"{node.domain}.{node.op_type} is no operator of ai.onnx",
                "memxc ops lists what can be mapped",
            )
        elif not onnx.defs.has(node.op_type, opset, ""):
            yield Fault(
                "unsupported-op",
                place,
                f"ONNX {opset} has no operator {node.op_type}",
                "memxc ops lists what can be mapped",
            )
        elif any(a.HasField("g") or a.graphs for a in node.attribute):
            yield Fault(
                "unsupported-op",
                place,
                f"{node.op_type} chooses at run time; a circuit has one path",
                "export the model with fixed control flow",
            )


def _order(graph: onnx.GraphProto, where: str) -> list[Fault]:
    """Faults of a graph that is cyclic, unsorted or names a tensor twice."""
    known = {value.name for value in graph.input} | {t.name for t in graph.initializer}
    made = {name for node in graph.node for name in node.output if name}
    waiting = list(graph.node)
    while ready := [n for n in waiting if _inputs(n) & made <= known]:
        known |= {name for node in ready for name in node.output}
        waiting = (
            [node for node in waiting if node not in ready] if len(ready) < len(waiting) else []
        )
    if waiting:
        names = ", ".join(printable(node.name or node.op_type, 40) for node in waiting[:8])
        return [
            Fault("broken-model", where, f"these nodes wait for each other in a circle: {names}")
        ]
    return []


def _inputs(node: onnx.NodeProto) -> set[str]:
    return {name for name in node.input if name}


def _first_lines(text: str, lines: int = 2) -> str:
    kept: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()][:lines]
    return "; ".join(kept) or "ONNX's checker refuses it"
