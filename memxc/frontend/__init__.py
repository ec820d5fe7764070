"""Read an ONNX file into a Graph.

Only this room knows the format, and the file is hostile input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import onnx  # noqa: TID251
from onnx import ModelProto, numpy_helper  # noqa: TID251

from memxc.errors import Fault, MemxcError, fail
from memxc.frontend import bound, evaluator
from memxc.frontend.check import check
from memxc.frontend.choose import choose_part
from memxc.frontend.convert import convert
from memxc.frontend.ends import Ends, ends
from memxc.frontend.fold import fold
from memxc.frontend.island import joined
from memxc.frontend.island import parsed as parsed_island
from memxc.frontend.network import network_of
from memxc.frontend.part import ModelPart, serialised
from memxc.frontend.read import prepared, read
from memxc.frontend.shapes import fixed_inputs
from memxc.frontend.unshaped import nodes
from memxc.ir.graph import Graph, Tensor


def load(
    path: Path | ModelPart,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    islands: Callable[[Graph], Sequence[Sequence[int]]] | None = None,
) -> Graph:
    """Return the network of a file as a Graph.

    Its batch is 1, its shapes are static, constants are folded, and dead nodes are removed.
    `shapes`: sizes of inputs that the model leaves open. islands: chooses the parts that stay
    digital, as lists of node numbers; each part becomes one node (ISLAND). Raises MemxcError
    (broken-model, unsupported-model, unsupported-op, unsupported-shape; usage for `shapes`) with
    everything that is wrong.
    """
    where = str(path)
    try:
        model = read(path)
        network = network_of(model, _checked(model, shapes or {}, where))
        fold(network)
        graph = convert(network, path.stem)
        parts = islands(graph) if islands else ()
        return joined(network, graph, parts) if parts else graph
    except MemxcError as error:
        raise MemxcError([_located(fault, where) for fault in error.faults]) from error


def load_whole(
    model: bytes, signals: Mapping[str, Tensor], constants: Mapping[str, Tensor]
) -> Graph:
    """Return a network in memory whose inputs are whole tensors, with their batch.

    ONNX's own cases are such networks. signals: inputs of the circuit, of which only the shapes
    matter. constants: inputs that are bound. Raises MemxcError as `load` does, and if a node would
    be computed from bound inputs alone, because then the circuit would not compute it.
    """
    where = "model"
    parsed = onnx.ModelProto.FromString(model)
    for name, value in constants.items():
        parsed.graph.initializer.append(numpy_helper.from_array(value, name))
    parsed = prepared(parsed, where)
    check(parsed, where)
    network = network_of(parsed, {name: value.shape for name, value in signals.items()})
    made = bound.dependent(network.nodes, constants)
    fold(network)
    early = bound.folded(made, network.constants)
    if early:
        what = "would be computed from bound inputs before there is a circuit"
        raise fail("unsupported-model", early[0], what)
    return convert(network, where)


def _checked(
    model: onnx.ModelProto, given: Mapping[str, tuple[int, ...]], where: str
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a sound model's inputs. Raises MemxcError with all faults of both."""
    faults: list[Fault] = []
    shapes: dict[str, tuple[int, ...]] = {}
    try:
        shapes = fixed_inputs(model, given, where)
    except MemxcError as error:
        faults += error.faults
    try:
        check(model, where)
    except MemxcError as error:
        faults += error.faults
    if faults:
        raise MemxcError(faults)
    return shapes


def _located(fault: Fault, path: str) -> Fault:
    """Return the same fault with the file before the name of its node or tensor."""
    is_whole = fault.where == path or fault.code == "usage"
    return fault if is_whole else replace(fault, where=f"{path}:{fault.where}")


__all__ = [
    "Ends",
    "ModelPart",
    "ModelProto",
    "choose_part",
    "ends",
    "evaluator",
    "load",
    "load_whole",
    "nodes",
    "parsed_island",
    "serialised",
]
