"""Operators: each family of ONNX operators has a file, found by discovery.

A column turns one node into stages. It sees shapes and constants, but no tile size, no conductance
and no dialect. To add an operator, add a file: nothing else knows its name.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from memxc import plugins
from memxc.errors import Fault, MemxcError
from memxc.ir.bounds import TooLargeError, one_operator
from memxc.ir.design import Bus
from memxc.ir.graph import ISLAND, Graph, Node
from memxc.ir.stages import Linear, Rename
from memxc.ops._call import Call, Parts
from memxc.ops._nets import each
from memxc.ops._registry import COLUMNS, REASONS, Column, operator
from memxc.ops._traits import Channelwise

#: Attributes that are 0 or 1. Runtimes do not agree on what another number means.
_FLAGS = frozenset(
    (
        *("allowzero", "antialias", "ceil_mode", "count_include_pad", "exclude_outside"),
        *("exclusive", "input_forget", "keepdims", "layout", "linear_before_reset"),
        *("noop_with_empty_axes", "reverse", "saturate"),
        *("select_last_index", "spatial", "storage_order", "training_mode", "transA", "transB"),
        "upper",
    )
)

_SMALLER = "what a circuit may take is in docs/cli.md, under Limits"

for _module in pkgutil.iter_modules(__path__):
    # `lower` is no operator. It also imports what reads models, which listing operators must not.
    if _module.name != "lower" and not _module.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_module.name}")

#: Operators that stay refused: a processor would not give the same for the same input either.
#: Dropout is only at fault in training.
RANDOM = frozenset(
    (
        *(
            "Bernoulli",
            "Dropout",
            "Multinomial",
            "RandomNormal",
            "RandomNormalLike",
            "RandomUniform",
        ),
        "RandomUniformLike",
    )
)
#: The operators of this folder: no plug-in replaces one of them.
_OURS = frozenset(COLUMNS)


@cache
def _add_plugins() -> None:
    """Import the operators of other packages, which declare themselves as memxc's own do."""
    known = _OURS.union(plugins.added("memxc.ops", _OURS, _no_operator))
    modules = plugins.modules("memxc.ops")
    for name, column in list(COLUMNS.items()):
        # A module may declare an operator without an entry point, or before its import fails.
        if name not in known and column.lower.__module__ in modules:
            del COLUMNS[name]


def _no_operator(name: str, value: object) -> str | None:
    """Return why an object is not the operator of that name, or None if it is."""
    if name in COLUMNS and COLUMNS[name].lower is value:
        return None
    return f"is not a function that @operator({name!r}) declares"


def available() -> Mapping[str, Column]:
    """Return every column by the name of its operator, in alphabetical order, but for islands."""
    _add_plugins()
    return MappingProxyType({name: COLUMNS[name] for name in sorted(COLUMNS) if name != ISLAND})


def column(op: str) -> Column:
    """Return the column of an operator that has one, with its traits."""
    return COLUMNS[op]


def channelwise(node: Node, graph: Graph) -> Channelwise | None:
    """Return how a node works on each channel (axis 1) alone, or None if it does not.

    `lower_node` must be able to lower the node.
    """
    column = COLUMNS[node.op]
    trait = column.channelwise
    if trait is None or trait.when is None:
        return trait
    call = Call(node, graph, {**column.attrs, **node.attrs}, frozenset(node.outputs))
    return trait if trait.when(call) else None


def refusals() -> Mapping[str, str]:
    """Return why operators have no circuit, by name in alphabetical order. Others are unknown."""
    return {name: reason for name, (reason, _) in sorted(REASONS.items())}


def lower_node(node: Node, graph: Graph, used: frozenset[str], inside: bool = False) -> Parts:
    """Return the stages of one node. used: the tensors that something reads. inside: as in Call.

    Raises MemxcError with all faults of the node that can be found at once.
    """
    faults = list(judge(node, graph.opset))
    column = COLUMNS.get(node.op)
    if column is not None:
        faults += _misfits(node, graph, column, used)
    if faults or column is None:
        raise MemxcError(faults)
    call = Call(node, graph, {**column.attrs, **node.attrs}, used, inside)
    try:
        with one_operator():
            parts = column.lower(call)
    except TooLargeError as error:
        raise call.refuse(str(error), _SMALLER, "unsupported-shape") from error
    if not column.integers and not all(isinstance(part, Rename | Bus) for part in parts):
        faults = list(_integers(node, graph, used))
        if faults:
            raise MemxcError(faults)
    for part in parts:
        if isinstance(part, Linear) and not _finite(part):
            what = f"{node.op}: its weights are not all finite numbers"
            raise MemxcError(
                Fault("unsupported-model", node.name, what, "train or export it again")
            )
    return parts


__all__ = [
    "RANDOM", "Call", "Channelwise", "Column", "Parts", "available", "channelwise", "column",
    "each", "judge", "lower_node", "operator", "refusals",
]  # fmt: skip


def _unknown(node: Node) -> Fault:
    """Return the fault of a node whose operator has no column."""
    if node.op in REASONS:
        reason, hint = REASONS[node.op]
        return Fault("unsupported-op", node.name, f"{node.op}: {reason}", hint)
    near = difflib.get_close_matches(node.op, COLUMNS, n=1)
    hint = f"the nearest that can be mapped is {near[0]}; " if near else ""
    what = f"no circuit for the operator {node.op}"
    return Fault("unsupported-op", node.name, what, f"{hint}memxc ops lists them all")


def judge(node: Node, opset: int) -> Iterator[Fault]:
    """Yield the faults of a node that need no shapes: those of its operator and its attributes."""
    _add_plugins()
    column = COLUMNS.get(node.op)
    if column is None:
        yield _unknown(node)
        return
    if opset < column.since:
        what = f"{node.op}: covered from opset {column.since}, the model has {opset}"
        yield Fault("unsupported-op", node.name, what, "convert the model to a newer opset")
    for name in sorted(set(node.attrs) - set(column.attrs)):
        near = difflib.get_close_matches(name, column.attrs, n=1)
        hint = f"did you mean {near[0]}?" if near else f"covered: {', '.join(column.attrs) or '-'}"
        what = f"{node.op}: the attribute {name} is not covered"
        yield Fault("unsupported-attribute", node.name, what, hint)
    for name, value in sorted(node.attrs.items()):
        if name in column.attrs and not _is_number(value, infinite=name in column.infinite):
            what = f"{node.op}: {name} = {value} is no finite number"
            yield Fault("unsupported-attribute", node.name, what, "train or export it again")
        elif name in column.attrs and name in _FLAGS and not _is_flag(value):
            what = f"{node.op}: {name} = {value} is neither 0 nor 1"
            yield Fault("unsupported-attribute", node.name, what, "train or export it again")


def _misfits(node: Node, graph: Graph, column: Column, used: frozenset[str]) -> Iterator[Fault]:
    """Yield the faults of the tensors that a node reads and writes."""
    for name in node.outputs[column.outputs :] if column.outputs is not None else ():
        if name in used:
            what = f"{node.op}: its further output {name!r} is in use and has no circuit"
            yield Fault("unsupported-op", node.name, what)
    for name, kind in _kinds(node, graph, used):
        if not kind.startswith(("int", "uint", "bool")):
            what = f"{node.op}: {name!r} holds {kind}, which no circuit carries"
            yield Fault("unsupported-model", node.name, what, "export the model in float32")
    for name in (*node.inputs, *node.outputs):
        if name and name not in graph.weights and 0 in graph.shapes[name]:
            what = f"{node.op}: the tensor {name!r} of shape {graph.shapes[name]} is empty"
            yield Fault("unsupported-shape", node.name, what)


def _integers(node: Node, graph: Graph, used: frozenset[str]) -> Iterator[Fault]:
    """Yield a fault for each integer signal of an operator that computes with real numbers.

    A circuit neither wraps around nor truncates, so it would give other results than the model.
    """
    for name, kind in _kinds(node, graph, used):
        what = f"{node.op}: {name!r} holds {kind}, and its circuit computes with real numbers"
        yield Fault("unsupported-op", node.name, what, "let the model compute this part in float")


def _kinds(node: Node, graph: Graph, used: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield each signal of a node that is not a real number, with its element type."""
    outputs = [name for name in node.outputs if name in used]
    for name in dict.fromkeys([*node.inputs, *outputs]):
        if name in graph.kinds:
            yield name, graph.kinds[name]


def _is_number(value: Any, infinite: bool) -> bool:
    """Return whether an attribute's real numbers are finite; if `infinite`, whether none is NaN."""
    numbers = np.asarray(value)
    if numbers.dtype.kind != "f":
        return True
    return not np.isnan(numbers).any() and (infinite or bool(np.isfinite(numbers).all()))


def _is_flag(value: Any) -> bool:
    """Return whether an attribute is 0 or 1. A list or a tensor is neither."""
    return np.ndim(value) == 0 and bool(value in (0, 1))


def _finite(stage: Linear) -> bool:
    return all(
        np.isfinite(kernel.values).all() and (kernel.bias is None or np.isfinite(kernel.bias).all())
        for kernel in stage.kernels
    )
