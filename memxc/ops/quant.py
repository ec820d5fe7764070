"""QuantizeLinear, DequantizeLinear, Cast: converters between real numbers and codes.

Around weights, none of these is left: what depends on constants only is computed when the model is
read. Source: the operators' pages of ONNX, opsets 10 to 25.
"""

from __future__ import annotations

import numpy as np

from memxc.ir.kinds import bits, code_range
from memxc.ir.stages import Circuit
from memxc.ir.windows import Ints, ints
from memxc.ops._blocks import COMPARATOR, built
from memxc.ops._call import Call, Parts
from memxc.ops._codes import (
    ADC,
    DAC,
    MOST_BITS,
    Setting,
    coded,
    one_each,
    positive,
    shifted,
)
from memxc.ops._nets import each, rename
from memxc.ops._registry import operator
from memxc.ops._terms import near
from memxc.ops._traits import SETTINGS, Channelwise

#: Sums in 32 bits are analog here, so they need an amplifier and no converter.
_AMPLIFIER = Circuit("scale", opamps=1)
_WINDOW = built("not_zero", COMPARATOR, COMPARATOR)


def _per_tensor(call: Call) -> bool:
    return call.constant(1, "scale").size == 1


@operator(
    "QuantizeLinear",
    since=10,
    attrs={"axis": 1, "block_size": 0, "output_dtype": 0, "precision": 0, "saturate": 1},
    integers=True,
    channelwise=Channelwise("settings", _per_tensor),
)
def quantize_linear(call: Call) -> Parts:
    """Return an ADC: round(x / scale), half to even, plus zero point, clipped."""
    settings, which = _settings(call)
    positive(call, np.array([scale for scale, _ in settings]))
    kind = call.dst_kind
    return one_each(call, settings, which, lambda s, z: coded(call, f"x0/{s!r}", z, kind), ADC)


@operator(
    "DequantizeLinear",
    since=10,
    attrs={"axis": 1, "block_size": 0, "output_dtype": 0},
    integers=True,
    channelwise=Channelwise("settings", _per_tensor),
)
def dequantize_linear(call: Call) -> Parts:
    """Return a DAC: (code - zero point) scale."""
    settings, which = _settings(call)
    if not np.isfinite([scale for scale, _ in settings]).all():
        raise call.refuse("its scale is not finite", code="unsupported-model")
    circuit = DAC if bits(call.kind(0)) <= MOST_BITS else _AMPLIFIER
    return one_each(call, settings, which, lambda s, z: f"({shifted(z)})*{s!r}", circuit)


@operator(
    "Cast",
    attrs={"round_mode": "up", "saturate": 1, "to": None},
    integers=True,
    channelwise=SETTINGS,
)
def cast(call: Call) -> Parts:
    """Return wires, a window comparator or a converter.

    ONNX does not say what a number outside the range becomes. The ADC stays at its last code.

    Wires are enough if no number changes. To bool it is a window comparator around 0, and from
    float to 8 or 16 bits it is an ADC that truncates.
    """
    src, dst = call.kind(0), call.dst_kind
    if not dst or src == dst or (src and dst != "bool" and _holds(dst, src)):
        return [rename(call, call.nets(0))]
    if dst == "bool":
        return [each(call, f"max(sgn(abs(x0)-{near(src, 'x0', '0')}),0)", _WINDOW)]
    if src or bits(dst) not in (8, 16):
        raise call.refuse(f"no circuit turns {src or 'float'} into {dst}", code="unsupported-op")
    low, high = code_range(dst)
    # A millionth is added, so that an integer with noise stays the same integer.
    towards_zero = "max(floor(x0+1e-6),0)-max(floor(1e-6-x0),0)"
    return [each(call, f"min(max({towards_zero},{low}),{high})", ADC)]


@operator(
    "CastLike",
    since=15,
    attrs={"round_mode": "up", "saturate": 1},
    integers=True,
    channelwise=SETTINGS,
)
def cast_like(call: Call) -> Parts:
    """Return a Cast to the type of the second input."""
    return cast(call)


def _holds(wide: str, narrow: str) -> bool:
    (low, high), (least, most) = code_range(wide), code_range(narrow)
    return low <= least and most <= high


def _settings(call: Call) -> tuple[list[Setting], Ints]:
    """Return the different pairs of scale and zero point, and the number of each element's pair."""
    scale = call.constant(1, "scale")
    zero = call.constant(2, "zero point") if call.has(2) else np.zeros_like(scale)
    if zero.shape != scale.shape and zero.size * scale.size != 1:
        what = f"a zero point of {zero.shape} for a scale of {scale.shape}"
        raise call.refuse(what, code="unsupported-shape")
    pairs = np.stack([scale.reshape(-1).astype(np.float64), zero.reshape(-1).astype(np.float64)])
    distinct, which = np.unique(pairs, axis=1, return_inverse=True)
    spread = _spread(call, ints(which.reshape(scale.shape)))
    return [(float(step), int(offset)) for step, offset in distinct.T], spread


def _spread(call: Call, values: Ints) -> Ints:
    """Return values in the shape of the signal.

    There is one value for a tensor, for a slice along `axis`, or for a block of a slice.
    """
    shape, axis, block = call.shape_of(0), call.attrs["axis"], call.attrs["block_size"]
    if values.size == 1:
        return np.broadcast_to(values.reshape(()), shape)
    axis = axis % len(shape) if -len(shape) <= axis < len(shape) else len(shape)
    size, behind = shape[axis : axis + 1], shape[axis + 1 :]
    blocks = tuple(-(-n // block) for n in size) if block > 0 else size
    if not size or values.shape != ((*shape[:axis], *blocks, *behind) if block else size):
        what = f"a scale of {values.shape} along axis {call.attrs['axis']} of {shape}"
        raise call.refuse(what, code="unsupported-shape")
    if block:
        return ints(np.take(values, np.arange(*size) // block, axis))
    return np.broadcast_to(values.reshape(-1, *[1] * len(behind)), shape)
