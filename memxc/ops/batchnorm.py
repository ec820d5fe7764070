"""BatchNormalization that was not folded: one scale and one bias for each channel."""

from __future__ import annotations

import numpy as np

from memxc.ops._affine import along
from memxc.ops._call import Call, Parts
from memxc.ops._registry import operator
from memxc.ops._traits import VECTORS


@operator(
    "BatchNormalization",
    attrs={"epsilon": 1e-5, "momentum": 0.9, "spatial": 1, "training_mode": 0},
    channelwise=VECTORS,
)
def batch_normalization(call: Call) -> Parts:
    """Return y = (x - mean) scale / sqrt(var + epsilon) + bias, with the statistics of the file."""
    if call.attrs["training_mode"]:
        raise call.refuse("training_mode = 1 normalises by the batch", "export for inference")
    if not call.attrs["spatial"]:
        raise call.refuse("spatial = 0 has statistics for each pixel", "export with spatial = 1")
    names = ("scale", "bias", "mean", "variance")
    scale, bias, mean, var = (
        np.asarray(call.constant(i + 1, name), dtype=np.float64) for i, name in enumerate(names)
    )
    shape = call.shape
    if len(shape) < 2 or any(part.shape != shape[1:2] for part in (scale, bias, mean, var)):
        raise call.refuse(
            f"its parameters do not fit the channels of {shape}", code="unsupported-shape"
        )
    with np.errstate(all="ignore"):  # what is not finite becomes a fault of the model
        gain = scale / np.sqrt(var + call.attrs["epsilon"])
        shift = bias - mean * gain
    return [along(call, 0, gain, shift, axes=(1,))]
