"""ConvTranspose: an ordinary convolution for each of the stride^n output phases.

No zeros are inserted and none is multiplied. Output o reads input i through tap u if

    o + pad = i * stride + u * dilation

So the outputs of one phase, (o + pad) mod stride = r, share the taps with u * dilation mod stride =
r. Phases without taps have their bias only, and are one kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from memxc.ir.bounds import KERNEL, reckon
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ir.windows import Ints, Windows, ints
from memxc.ops._call import Call, Parts, Shape, lanes
from memxc.ops._registry import operator
from memxc.ops._windows import bordered, channels_first, grid, lattice, map_sinks
from memxc.ops.conv import ATTRS


@operator("ConvTranspose", attrs={**ATTRS, "output_padding": None, "output_shape": None})
def conv_transpose(call: Call) -> Parts:
    """Return kernels of ceil(k / stride) taps an axis, one for each phase, on the input itself."""
    weight = call.constant(1, "weight")
    bias = call.constant(2, "bias") if call.has(2) else None
    src, groups = call.bus(0), call.attrs["group"]
    _check(call, weight.shape, None if bias is None else bias.shape)
    filters = weight.shape[1]
    split = weight.reshape(groups, -1, *weight.shape[1:])
    axes, kernels = _axes(call, weight.shape[2:]), []
    nets, out = channels_first(call.nets(0)), lanes(call.shape)
    reckon(*map(len, axes), KERNEL)
    for phases in product(*axes):
        taps = split[(slice(None),) * 3 + np.ix_(*[phase.taps for phase in phases])]
        values = np.moveaxis(taps, 2, -1).reshape(groups, -1)
        kernels.append(
            Kernel(
                values=values,
                cell=None,
                bias=None if bias is None else bias.reshape(groups, filters),
                taps=_taps(nets, groups, phases),
                sinks=map_sinks(out, groups, [phase.outputs for phase in phases]),
                grid=grid(call.shape[0], *[len(phase.outputs) for phase in phases]),
            )
        )
    return [Linear(call.name, src, call.dst, tuple(kernels))]


@dataclass(frozen=True)
class _Phase:
    """The taps of a phase along one axis, and for each of its outputs the input under tap 0.

    Tap t of the phase reads input first[output] - back[t].
    """

    taps: Ints
    back: Ints
    outputs: Ints
    first: Ints


def _axes(call: Call, kernel: Shape) -> list[list[_Phase]]:
    """Return the phases of each axis that have outputs. The phases without taps are one."""
    stride, dilation, begin = _geometry(call, kernel)
    axes = []
    for size, k, s, d, pad in zip(call.shape[2:], kernel, stride, dilation, begin, strict=True):
        reckon(k, size)
        reach, out = np.arange(k) * d, np.arange(size) + pad
        phases = [(reach % s == r, out[out % s == r]) for r in np.unique(reach % s)]
        phases.append((np.zeros(k, dtype=bool), out[~np.isin(out % s, reach % s)]))
        axes.append(
            [
                _Phase(
                    taps=ints(np.flatnonzero(of_phase)),
                    back=ints(reach[of_phase] // s),
                    outputs=ints(at - pad),
                    first=ints(at // s),
                )
                for of_phase, at in phases
                if at.size
            ]
        )
    return axes


def _taps(nets: Ints, groups: int, phases: tuple[_Phase, ...]) -> Windows:
    """Return lines (channel of the group, tap) on the input, GROUND for a tap outside."""
    deepest = [int(phase.back.max(initial=0)) for phase in phases]
    sizes = nets.shape[nets.ndim - len(phases) :]
    before = [max(0, deep - int(p.first.min())) for deep, p in zip(deepest, phases, strict=True)]
    after = [max(0, int(p.first.max()) + 1 - n) for n, p in zip(sizes, phases, strict=True)]
    still = nets.ndim - len(phases)
    frame = bordered(nets, [(0, 0)] * still + list(zip(before, after, strict=True)))
    batch = [range(n) for n in frame.shape[1:still]]
    per_group = len(frame) // groups
    zeros = [[0]] * (frame.ndim - 1)
    starts = [p.first + b - deep for p, b, deep in zip(phases, before, deepest, strict=True)]
    steps = [deep - p.back for p, deep in zip(phases, deepest, strict=True)]
    return Windows(
        frame,
        lattice(frame.shape, [0], *batch, *starts),
        lattice(frame.shape, range(0, len(frame), per_group), *zeros),
        lattice(frame.shape, range(per_group), *[[0]] * len(batch), *steps),
    )


def _geometry(call: Call, kernel: Shape) -> tuple[Shape, Shape, Shape]:
    """Return stride, dilation and the padding before each axis.

    The padding follows from the size of the output, which the model states.
    """
    rank = len(kernel)
    stride, dilation = call.sizes("strides", rank), call.sizes("dilations", rank)
    extra = call.sizes("output_padding", rank, default=0, least=0)
    pads = call.sizes("pads", 2 * rank, default=0, least=0)
    mode = call.attrs["auto_pad"]
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise call.refuse(
            f"auto_pad = {mode!r} is not one of NOTSET, VALID, SAME_UPPER, SAME_LOWER"
        )
    whole = [
        (n - 1) * s + e + (k - 1) * d + 1
        for n, s, e, k, d in zip(call.shape_of(0)[2:], stride, extra, kernel, dilation, strict=True)
    ]
    total = [max(w - out, 0) for w, out in zip(whole, call.shape[2:], strict=True)]
    if mode == "SAME_UPPER":
        return stride, dilation, tuple(t // 2 for t in total)
    if mode == "SAME_LOWER" or call.attrs["output_shape"] is not None:
        return stride, dilation, tuple(t - t // 2 for t in total)
    begin, end = (pads[:rank], pads[rank:]) if mode == "NOTSET" else ((0,) * rank, (0,) * rank)
    stated = tuple(w - b - e for w, b, e in zip(whole, begin, end, strict=True))
    if stated != call.shape[2:]:
        raise call.refuse(
            f"its output should have the space {stated}, the model says {call.shape[2:]}",
            code="unsupported-shape",
        )
    return stride, dilation, begin


def _check(call: Call, weight: Shape, bias: Shape | None) -> None:
    groups, shape = call.attrs["group"], call.shape_of(0)
    stated = call.attrs["kernel_shape"]
    fits = len(weight) == len(shape) == len(call.shape) >= 3
    fits = fits and groups >= 1 and weight[0] == shape[1]
    if not fits or weight[0] % groups or call.shape[1] != weight[1] * groups:
        raise call.refuse(
            f"group = {groups} and a weight of {weight} do not fit an input of {shape}",
            code="unsupported-shape",
        )
    if bias is not None and bias != (call.shape[1],):
        raise call.refuse(f"a bias of {bias} does not fit", code="unsupported-shape")
    if stated is not None and tuple(stated) != weight[2:]:
        raise call.refuse(f"kernel_shape = {stated} contradicts a weight of {weight}")
    asked = call.attrs["output_shape"]
    if asked is not None and tuple(asked) != call.shape[2:]:
        raise call.refuse(f"output_shape = {asked} contradicts an output of {call.shape}")
