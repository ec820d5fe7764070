"""Replace calls of local functions by their nodes.

The nodes are counted first, because calls of calls can multiply without limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

import onnx  # noqa: TID251

from memxc import worker
from memxc.errors import fail
from memxc.frontend import native
from memxc.frontend.subgraphs import walk

_Key = tuple[str, str, str]
#: Bytes that a node counts for, in addition to its constants.
_NODE = 2**13
#: Most nodes of the inlined network, and most bytes. Large trained networks have 10,000 nodes.
_MOST_NODES = 2**17
_MOST = _MOST_NODES * _NODE


def inlined(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """Return the model without local functions.

    Raises MemxcError (broken-model, unsupported-model).
    """
    if not model.functions:
        return model
    size = _unfolded(model, where)
    if size > _MOST:
        what = f"its functions unfold to more than {_MOST_NODES} nodes, or 1 GiB of constants"
        raise fail("unsupported-model", where, what)
    try:
        return native.ask("inlined", model, native.allowance(held=size))
    except worker.Refused as error:
        raise fail("broken-model", where, f"its functions cannot be inlined: {error}") from error
    except worker.Died as death:
        raise native.fault("the inlining of its functions", death, where) from death


def _unfolded(model: onnx.ModelProto, where: str) -> int:
    """Return the bytes that the inlined nodes count for.

    Functions that call each other twice double the count at each level.
    """
    functions = {(f.domain, f.name, f.overload): list(walk(f.node)) for f in model.functions}
    calls = {key: {_key(node) for node in nodes} for key, nodes in functions.items()}
    sizes: dict[_Key, int] = {}
    try:
        for key in TopologicalSorter(calls).static_order():
            if key in functions:
                sizes[key] = sum(_count(node, sizes) for node in functions[key])
    except CycleError as error:
        names = " -> ".join(name for _, name, _ in error.args[1])
        raise fail("broken-model", where, f"its functions call each other: {names}") from error
    return sum(_count(node, sizes) for node in walk(model.graph.node))


def _count(node: onnx.NodeProto, sizes: Mapping[_Key, int]) -> int:
    return _NODE + int(node.ByteSize()) + sizes.get(_key(node), 0)


def _key(node: onnx.NodeProto) -> _Key:
    return node.domain, node.op_type, node.overload
