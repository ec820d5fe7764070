"""Whether onnxruntime multiplies uint8 by int8 exactly on this processor: measured, not looked up.

x86 processors without VNNI have an instruction for it that saturates the sum of two products at 16
bits. evaluation.reference computes constant weights in another way, which is exact everywhere; for
weights that are computed or given at run time onnxruntime has no such way.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper  # noqa: TID251

from memxc.evaluation import reference

#: What one step of the answer stands for: a power of two, so that no rounding is in question.
_STEP = 4096
_ZERO = 128


def codes_off(constant: bool) -> int:
    """By how many codes of 8 bits the worst answer of a quantised convolution is wrong.

    constant: with weights that the model holds, else with weights that it is given.
    """
    rng = np.random.default_rng(0)
    # Large numbers of both signs: a sum of two products passes 16 bits, one of all 36 does not
    # pass the codes.
    x = rng.integers(180, 256, (1, 4, 9, 9)).astype(np.uint8)
    w = (rng.integers(90, 128, (8, 4, 3, 3)) * rng.choice([-1, 1], (8, 4, 3, 3))).astype(np.int8)
    given = {"x": x} if constant else {"x": x, "w": w}
    found = reference.session(_model(w, constant)).run(None, given)
    return int(np.abs(found[0].astype(int) - _by_hand(x, w)).max())


def _by_hand(x: NDArray[np.uint8], w: NDArray[np.int8]) -> NDArray[np.int64]:
    """The same convolution in integers of 64 bits."""
    windows = sliding_window_view(x.astype(np.int64), (3, 3), axis=(2, 3))
    sums = np.einsum("nchwij,mcij->nmhw", windows, w.astype(np.int64))
    return np.asarray(np.clip(np.rint(sums / _STEP).astype(np.int64) + _ZERO, 0, 255))


def _model(w: NDArray[np.int8], constant: bool) -> bytes:
    info = helper.make_tensor_value_info
    numbers = {
        "one": np.float32(1), "step": np.float32(_STEP),
        "zx": np.uint8(0), "zw": np.int8(0), "zy": np.uint8(_ZERO),
    }  # fmt: skip
    kept = [numpy_helper.from_array(np.array(value), name) for name, value in numbers.items()]
    inputs = [info("x", TensorProto.UINT8, (1, 4, 9, 9))]
    if constant:
        kept.append(numpy_helper.from_array(w, "w"))
    else:
        inputs.append(info("w", TensorProto.INT8, w.shape))
    names = ["x", "one", "zx", "w", "one", "zw", "step", "zy"]
    node = helper.make_node("QLinearConv", names, ["y"])
    outputs = [info("y", TensorProto.UINT8, (1, 8, 7, 7))]
    graph = helper.make_graph([node], "exact", inputs, outputs, kept)
    opset = [helper.make_opsetid("", 10)]
    made: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return made
