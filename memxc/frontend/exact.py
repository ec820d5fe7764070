"""Measure whether onnxruntime multiplies uint8 by int8 exactly on this processor.

x86 processors without VNNI have an instruction for it that saturates the sum of two products at 16
bits. For constant weights, evaluation.reference makes onnxruntime use another way, which is exact
on every processor. For weights that are computed or given at run time onnxruntime has no such way.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper  # noqa: TID251

from memxc.evaluation import reference

#: The value of one step of the answer: a power of two, so that rounding does not matter.
_STEP = 4096
_ZERO = 128


def codes_off(constant: bool) -> int:
    """Return by how many 8-bit codes the worst answer of a quantised convolution is wrong.

    constant: True for weights that the model holds, False for weights that are an input.
    """
    rng = np.random.default_rng(0)
    # Large numbers of both signs, so that a sum of two products exceeds 16 bits, but the sum of all
    # 36 stays within the codes.
    x = rng.integers(180, 256, (1, 4, 9, 9)).astype(np.uint8)
    w = (rng.integers(90, 128, (8, 4, 3, 3)) * rng.choice([-1, 1], (8, 4, 3, 3))).astype(np.int8)
    inputs = {"x": x} if constant else {"x": x, "w": w}
    answer = reference.session(_model(w, constant)).run(None, inputs)
    return int(np.abs(answer[0].astype(int) - _by_hand(x, w)).max())


def _by_hand(x: NDArray[np.uint8], w: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return the same convolution in 64-bit integers."""
    windows = sliding_window_view(x.astype(np.int64), (3, 3), axis=(2, 3))
    sums = np.einsum("nchwij,mcij->nmhw", windows, w.astype(np.int64))
    return np.asarray(np.clip(np.rint(sums / _STEP).astype(np.int64) + _ZERO, 0, 255))


def _model(w: NDArray[np.int8], constant: bool) -> bytes:
    info = helper.make_tensor_value_info
    numbers = {
        "one": np.float32(1), "step": np.float32(_STEP),
        "zx": np.uint8(0), "zw": np.int8(0), "zy": np.uint8(_ZERO),
    }  # fmt: skip
    constants = [numpy_helper.from_array(np.array(value), name) for name, value in numbers.items()]
    inputs = [info("x", TensorProto.UINT8, (1, 4, 9, 9))]
    if constant:
        constants.append(numpy_helper.from_array(w, "w"))
    else:
        inputs.append(info("w", TensorProto.INT8, w.shape))
    names = ["x", "one", "zx", "w", "one", "zw", "step", "zy"]
    node = helper.make_node("QLinearConv", names, ["y"])
    outputs = [info("y", TensorProto.UINT8, (1, 8, 7, 7))]
    graph = helper.make_graph([node], "exact", inputs, outputs, constants)
    opset = [helper.make_opsetid("", 10)]
    model: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return model
