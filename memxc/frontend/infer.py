"""ONNX's shape inference, one node at a time: if all inputs are known, the output is, too."""

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

#: Elements of a constant whose values inference gets. Of larger ones it gets only the shape, so
#: that they are not copied; shapes, axes and sizes are always smaller.
_SMALL = 4096
#: Since IR version 4 an initialiser does not have to be an input, too.
_IR_VERSION = 8
#: With ceil_mode, ONNX's inference before opset 22 counts a last window that starts beyond the map.
#: ONNX's own reference and the runtimes leave it out in every opset.
_POOLS = frozenset({"AveragePool", "LpPool", "MaxPool"})
_POOLS_SINCE = 22


def infer(node: onnx.NodeProto, network: Network) -> None:
    """Add the types of a node's outputs to `network`, and their shapes if these are static.

    Raises MemxcError (broken-model) if the node does not fit its inputs, and worker.Died if
    inference does not return.
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
        # Inference has already refused an axis that the tensor does not have.
        if network.constants[node.input[1]].ndim != 1:
            what = "the condition of Compress is not a vector"
            raise fail("broken-model", node.name, what)
        network.shapes[node.output[0]] = _kept(node, network)


def _kept(node: onnx.NodeProto, network: Network) -> Shape:
    """Return the shape of Compress with a constant condition, which inference does not count."""
    condition, shape = network.constants[node.input[1]], network.shapes[node.input[0]]
    for attribute in node.attribute:
        axis = attribute.i % len(shape)
        kept = int(np.count_nonzero(condition[: shape[axis]]))
        return (*shape[:axis], kept, *shape[axis + 1 :])
    return (int(np.count_nonzero(condition[: prod(shape)])),)


def _words(error: Exception) -> str:
    """Return ONNX's message without the names that it puts in front."""
    text = " ".join(str(error).split())
    return re.sub(r"\[\w+Error\] ?|Inference error\(s\): |\(op_type:[^)]*\): ", "", text)
