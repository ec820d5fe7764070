"""Turn a folded network into a Graph: plain Python and numpy, without protobuf."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx  # noqa: TID251

from memxc.errors import Fault, MemxcError
from memxc.frontend.network import Network
from memxc.frontend.tensors import Array, array
from memxc.ir.graph import Graph, Node

_REAL = frozenset({"float", "double", "float16", "bfloat16"})
#: Elements that are searched for NaN at once, so that the search takes little memory.
_CHUNK = 2**20


def convert(network: Network, name: str) -> Graph:
    """Return the Graph of a folded network.

    Raises MemxcError with all weights that are not numbers, and all outputs that are constants.
    """
    nodes = _nodes(network)
    read = {tensor for node in nodes for tensor in node.inputs if tensor}
    weights = {key: _widened(value) for key, value in network.constants.items() if key in read}
    faults = [*_constant_outputs(network), *_not_numbers(weights)]
    if faults:
        raise MemxcError(faults)
    outputs = [tensor for node in nodes for tensor in node.outputs if tensor]
    shapes = {tensor: network.shapes[tensor] for tensor in (*network.inputs, *outputs)}
    shapes |= {key: value.shape for key, value in weights.items()}
    kinds = {tensor: kind_name(network.types[tensor]) for tensor in (*network.inputs, *outputs)}
    graph = Graph(
        name,
        tuple(network.inputs),
        network.outputs,
        nodes,
        shapes,
        weights,
        network.opset,
        {tensor: kind for tensor, kind in kinds.items() if kind not in _REAL},
    )
    graph.verify()
    return graph


def kind_name(number: int) -> str:
    """Return an element type in ONNX's words and in lower case."""
    return str(onnx.TensorProto.DataType.Name(number)).lower()


def _nodes(network: Network) -> tuple[Node, ...]:
    """Return the nodes; an output that nothing reads (Dropout's mask) becomes absent."""
    read = {name for node in network.nodes for name in node.input} | set(network.outputs)
    return tuple(
        Node(
            node.name,
            node.op_type,
            tuple(node.input),
            tuple(name if name in read else "" for name in node.output),
            {attribute.name: plain(attribute, node.name) for attribute in node.attribute},
        )
        for node in network.nodes
    )


def plain(attribute: onnx.AttributeProto, node: str) -> Any:
    """Return an attribute's value as int, float, str, a tuple of these, or an array."""
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return _widened(array(value, node))
    if isinstance(value, (int, float, bytes)):
        return _text(value)
    return tuple(_text(part) for part in value)


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _widened(value: Array) -> Array:
    """Return float16 and narrower floats as float32, and everything else unchanged; read-only."""
    if value.dtype != np.float16 and not _is_narrow_float(value):
        widened = value.view()
    elif value.size and not any(value.strides):  # A view of one element stays a view.
        widened = np.broadcast_to(value.flat[0].astype(np.float32), value.shape)
    else:
        widened = value.astype(np.float32)
    widened.setflags(write=False)
    return widened


def _is_narrow_float(value: Array) -> bool:
    """Return whether the floats are of a type that numpy lacks: bfloat16, float8, float4."""
    return "float" in value.dtype.name and value.dtype.kind not in "fc"


def _constant_outputs(network: Network) -> list[Fault]:
    what = "this output is a constant: it does not depend on the network's inputs"
    hint = "take it out of the model's outputs"
    return [
        Fault("unsupported-model", name, what, hint)
        for name in network.outputs
        if name in network.constants
    ]


def _not_numbers(weights: dict[str, Array]) -> list[Fault]:
    what = "its values are not numbers (NaN)"
    hint = "the training diverged, or the file is damaged"
    return [
        Fault("broken-model", name, what, hint)
        for name, value in weights.items()
        if _has_nan(value)
    ]


def _has_nan(value: Array) -> bool:
    if value.dtype.kind not in "fc" or not value.size:
        return False
    flat = value.reshape(-1)
    return any(np.isnan(flat[i : i + _CHUNK]).any() for i in range(0, flat.size, _CHUNK))
