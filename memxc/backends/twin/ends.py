"""The inputs and outputs of a twin, in the types and shapes of the original model.

Inside the twin, a signal is float32 and has an axis of its own for the samples, in front.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx  # noqa: TID251
from onnx import TensorProto, helper  # noqa: TID251

from memxc.backends.twin.graph_builder import Sheet, TwinTensor
from memxc.ir.design import Bus


def declared(bus: Bus, original: onnx.ValueInfoProto | None) -> onnx.ValueInfoProto:
    """Return a bus as an input or output: with the original's type, name and batch axis.

    Other axes have the sizes for which the circuit was compiled. Without an original, it is float32
    with a free batch axis N.
    """
    if original is None:
        return helper.make_tensor_value_info(bus.name, TensorProto.FLOAT, ["N", *bus.sample])
    declaration = helper.make_tensor_value_info(bus.name, _kind(original), bus.shape)
    if bus.shape and _open(original):
        declaration.type.tensor_type.shape.dim[0].CopyFrom(original.type.tensor_type.shape.dim[0])
    return declaration


def read(sheet: Sheet, bus: Bus, original: onnx.ValueInfoProto | None) -> TwinTensor:
    """Return the signal of an input."""
    name = bus.name
    if original is not None and _kind(original) != TensorProto.FLOAT:
        name = sheet.op("Cast", name, to=TensorProto.FLOAT)
    if original is not None and bus.shape == bus.sample:  # it has no batch axis
        name = sheet.op("Unsqueeze", name, sheet.integers([0]))
    return TwinTensor(name, bus.sample)


def answered(
    sheet: Sheet, bus: Bus, signal: TwinTensor, original: onnx.ValueInfoProto | None
) -> str:
    """Return the tensor of an output. For an integer type, it is rounded and kept in range."""
    name = sheet.reshape(sheet.first(signal), bus.sample).name
    if original is None:
        return name
    kind = helper.tensor_dtype_to_np_dtype(_kind(original))
    if kind.kind in "iub":
        low, high = _span(kind)
        name = sheet.op("Clip", sheet.op("Round", name), sheet.floats(low), sheet.floats(high))
    if _kind(original) != TensorProto.FLOAT:
        name = sheet.op("Cast", name, to=_kind(original))
    if bus.shape == (1, *bus.sample):
        return name
    # The first axis is not the batch, or holds several numbers of each sample.
    shape = [-1, *bus.shape[1:]] if bus.shape and _open(original) else bus.shape
    return sheet.op("Reshape", name, sheet.integers(shape))


def _kind(original: onnx.ValueInfoProto) -> int:
    return original.type.tensor_type.elem_type or TensorProto.FLOAT


def _open(original: onnx.ValueInfoProto) -> bool:
    """Return whether the original leaves the size of its first axis open."""
    dims = original.type.tensor_type.shape.dim
    return bool(dims) and not dims[0].dim_value > 0


def _span(kind: np.dtype[Any]) -> tuple[np.float32, np.float32]:
    """Return the smallest and the largest float32 within the range of an integer type or bool."""
    if kind.kind == "b":
        return np.float32(0), np.float32(1)
    limits = np.iinfo(kind)
    high = np.float32(limits.max)
    if int(high) > limits.max:
        high = np.nextafter(high, np.float32(0))
    return np.float32(limits.min), high
