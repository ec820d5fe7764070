"""ONNX's shape inference, one node at a time: with all inputs known, so is the output."""

from __future__ import annotations

import re
from math import prod

import numpy as np
import onnx  # noqa: TID251
from onnx import numpy_helper  # noqa: TID251

from memxc import worker
from memxc.errors import fail
from memxc.frontend import native
from memxc.frontend.network import Network, Shape

#: Elements. Larger constants take part by their shape alone, so they are never copied; what is
#: read as a shape, an axis or a size is smaller than this.
_SMALL = 4096
#: Since IR version 4 an initialiser need not be an input too.
_IR_VERSION = 8
#: Before opset 22 ONNX counts, with ceil_mode, a last window that starts behind the map; its own
#: reference and the runtimes leave it out in every opset.
_POOLS = frozenset({"AveragePool", "LpPool", "MaxPool"})
_POOLS_SINCE = 22


def infer(node: onnx.NodeProto, network: Network) -> None:
    """Add to `network` the types of a node's outputs, and those of their shapes that are static.

    Raises MemxcError (broken-model) where the node does not fit its inputs, worker.Died where
    inference does not come back.
    """
    graph = onnx.GraphProto(name="node", node=[node])
    for name in dict.fromkeys(filter(None, node.input)):
        value = network.constants.get(name)
        if value is not None and value.size <= _SMALL:
            graph.initializer.append(numpy_helper.from_array(value.copy(), name))
        else:
            kind, shape = network.types[name], network.shapes[name]
            graph.input.append(onnx.helper.make_tensor_value_info(name, kind, shape))
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output if name)
    imports = network.opset_imports
    if node.op_type in _POOLS and network.opset < _POOLS_SINCE:
        imports = [onnx.helper.make_opsetid("", _POOLS_SINCE)]
    model = onnx.helper.make_model(graph, opset_imports=imports, ir_version=_IR_VERSION)
    try:
        done = native.ask("inferred", model, network.allowance)
    except worker.Refused as error:
        what = f"{node.op_type} does not fit what it reads: {_words(error)}"
        raise fail("broken-model", node.name, what) from error
    for value in done.graph.output:
        tensor = value.type.tensor_type
        network.types[value.name] = tensor.elem_type
        if tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim):
            network.shapes[value.name] = tuple(dim.dim_value for dim in tensor.shape.dim)
    if node.op_type == "Compress" and node.input[1] in network.constants:
        # Inference has refused an axis that the tensor has not.
        if network.constants[node.input[1]].ndim != 1:
            what = "the condition of Compress is not a vector"
            raise fail("broken-model", node.name, what)
        network.shapes[node.output[0]] = _kept(node, network)


def _kept(node: onnx.NodeProto, network: Network) -> Shape:
    """What a constant condition leaves of a tensor, which inference does not count."""
    condition, shape = network.constants[node.input[1]], network.shapes[node.input[0]]
    for attribute in node.attribute:
        axis = attribute.i % len(shape)
        kept = int(np.count_nonzero(condition[: shape[axis]]))
        return (*shape[:axis], kept, *shape[axis + 1 :])
    return (int(np.count_nonzero(condition[: prod(shape)])),)


def _words(error: Exception) -> str:
    """What ONNX says, without the names that it puts in front."""
    text = " ".join(str(error).split())
    return re.sub(r"\[\w+Error\] ?|Inference error\(s\): |\(op_type:[^)]*\): ", "", text)
