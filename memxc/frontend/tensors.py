"""The constant tensors of a model file: found, measured, and turned into arrays."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import onnx  # noqa: TID251
from numpy.typing import NDArray
from onnx import numpy_helper  # noqa: TID251

from memxc.errors import fail
from memxc.frontend.subgraphs import graphs, walk

Array = NDArray[Any]

#: Bits of elements that share a byte; ONNX rounds up for the whole tensor, not for each row.
_PACKED = {
    getattr(onnx.TensorProto, name): bits
    for name, bits in (("INT4", 4), ("UINT4", 4), ("FLOAT4E2M1", 4), ("INT2", 2), ("UINT2", 2))
    if hasattr(onnx.TensorProto, name)
}


def tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every constant tensor of the network: initialisers and attributes, at any depth."""
    for graph in graphs(model.graph):
        yield from graph.initializer
    for node in walk(model.graph.node):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def byte_size(tensor: onnx.TensorProto, name: str) -> int:
    """Return the bytes of the claimed shape and type. Raises MemxcError (broken-model)."""
    if any(dim < 0 for dim in tensor.dims):
        raise fail("broken-model", name, f"claims the shape {list(tensor.dims)}")
    try:
        item = int(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
    except (KeyError, ValueError):
        what = f"has the unknown data type {tensor.data_type}"
        raise fail("broken-model", name, what) from None
    bits = _PACKED.get(tensor.data_type, 8 * item)
    return -(-int(prod(tensor.dims)) * bits // 8)


def array(tensor: onnx.TensorProto, name: str) -> Array:
    """Return the values of a tensor, read-only, if it claims no more than it holds.

    Raises MemxcError (broken-model, unsupported-model) with `name` as its place.
    """
    if tensor.data_type == onnx.TensorProto.STRING:
        raise fail("unsupported-model", name, "holds text, and a circuit works on numbers")
    expected = byte_size(tensor, name)
    if tensor.HasField("raw_data") and len(tensor.raw_data) != expected:
        what = f"claims the shape {list(tensor.dims)} ({expected} bytes)"
        raise fail("broken-model", name, f"{what} but holds {len(tensor.raw_data)} bytes")
    try:
        values = np.asarray(numpy_helper.to_array(tensor))
    # onnx's conversions raise errors of any kind for hostile input.
    except Exception as error:
        raise fail("broken-model", name, f"its values cannot be read: {error}") from error
    if values.shape != tuple(tensor.dims):
        what = f"claims the shape {list(tensor.dims)} but holds {values.size} elements"
        raise fail("broken-model", name, what)
    values = values.view()
    values.setflags(write=False)
    return values
