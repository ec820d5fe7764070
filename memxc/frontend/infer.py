"""ONNX's shape inference over what is known so far."""

from __future__ import annotations

import numpy as np
import onnx  # noqa: TID251
from onnx import numpy_helper, shape_inference  # noqa: TID251

from memxc.errors import fail
from memxc.frontend.network import Network

#: Elements. Larger constants take part by their shape alone, so they are never copied; what is
#: read as a shape, an axis or a size is smaller than this.
_SMALL = 4096


def infer(network: Network) -> None:
    """Add to `network.shapes` and `network.types` what follows from the constants known by now.

    Raises MemxcError (broken-model) where shapes contradict each other.
    """
    graph = onnx.GraphProto(name="network")
    graph.node.extend(network.nodes)
    for name, shape in network.inputs.items():
        graph.input.append(_info(name, network.types[name], shape))
    for name, value in network.constants.items():
        kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        if value.size <= _SMALL:
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        else:
            graph.input.append(_info(name, kind, value.shape))
    made = (name for name in network.outputs if name not in network.constants)
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    model = onnx.helper.make_model(
        graph, opset_imports=network.opset_imports, ir_version=_NEW_ENOUGH
    )
    try:
        done = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    # Inference throws C++ errors of many kinds, and what it reads is hostile input.
    except Exception as error:
        words = [line for line in map(str.strip, str(error).splitlines()) if line]
        what = f"its shapes do not fit together: {' '.join(words[:3])}"
        raise fail("broken-model", network.where, what) from error
    for value in (*done.graph.value_info, *done.graph.output):
        _note(value, network)


#: Since IR version 4 an initialiser need not be an input too.
_NEW_ENOUGH = 8


def _info(name: str, kind: int, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, kind, shape)


def _note(value: onnx.ValueInfoProto, network: Network) -> None:
    tensor = value.type.tensor_type
    network.types[value.name] = tensor.elem_type
    if tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        network.shapes[value.name] = tuple(dim.dim_value for dim in tensor.shape.dim)
