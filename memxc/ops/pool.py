"""Pools: averages are fixed resistors, maxima are diode selectors."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from memxc.ir.bounds import KERNEL, TERM, reckon
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Circuit, Lanes, Linear
from memxc.ir.windows import Ints, Windows, ints
from memxc.ops._call import Call, Parts, lanes
from memxc.ops._nets import rename
from memxc.ops._power import magnitudes, norm_of, root
from memxc.ops._registry import operator
from memxc.ops._steps import Steps
from memxc.ops._traits import SETTINGS
from memxc.ops._windows import (
    Sliding,
    channels_first,
    filled,
    frame_taps,
    grid,
    inside,
    lattice,
    map_sinks,
    map_taps,
    sliding,
    spread,
)

_COMMON = {
    "auto_pad": "NOTSET",
    "ceil_mode": 0,
    "dilations": None,
    "kernel_shape": (),
    "pads": None,
    "strides": None,
}


@operator("MaxPool", attrs={**_COMMON, "storage_order": 0}, integers=True, channelwise=SETTINGS)
def max_pool(call: Call) -> Parts:
    """Return one selector for each window.

    The border repeats a tap of the same window, because 0 V would win over negative signals.
    """
    slide = sliding(call, tuple(call.attrs["kernel_shape"]))
    batch, channels = call.shape[:2]
    nets = call.nets(0).reshape(batch * channels, *slide.size)
    inner = [_inside(call, slide, axis) for axis in range(len(slide.size))]
    reckon(len(nets), *map(len, inner))
    reckon(slide.taps, TERM)
    frame = ints(nets[np.ix_(np.arange(len(nets)), *inner)])
    still = [[0]] * len(inner)
    firsts = [slide.starts(axis) + slide.begin[axis] for axis in range(len(inner))]
    taps = Windows(
        frame,
        lattice(frame.shape, [0], *firsts),
        lattice(frame.shape, range(len(nets)), *still),
        lattice(frame.shape, [0], *(slide.offsets(axis) for axis in range(len(inner)))),
    )
    if taps.lines == 1:
        return [rename(call, taps.nets())]
    return [_largest(call, taps)]


@operator("GlobalMaxPool", channelwise=SETTINGS)
def global_max_pool(call: Call) -> Parts:
    """Return one selector for each channel."""
    space = tuple(range(2, len(call.shape_of(0))))
    return [_largest(call, spread(call.nets(0), space, (0, 1), ()))]


@operator("LpPool", attrs={**_COMMON, "p": 2}, channelwise=SETTINGS)
def lp_pool(call: Call) -> Parts:
    """Return powers of magnitudes, their sum by resistors, and the root of the sum."""
    steps, p = Steps(call), norm_of(call)
    terms = magnitudes(steps, steps.given(0), p)
    slide = sliding(call, tuple(call.attrs["kernel_shape"]))
    channels = call.shape[1]
    kernel = Kernel(
        values=filled((channels, slide.taps), 1.0),
        cell=None,
        bias=None,
        taps=map_taps(terms.nets, slide, channels),
        sinks=map_sinks(lanes(call.shape), channels),
        grid=grid(call.shape[0], *slide.out),
    )
    total = steps.linear("sum", terms.bus, call.shape, (kernel,), "resistor")
    return steps.end(root(steps, total, p))


@operator("GlobalLpPool", attrs={"p": 2}, channelwise=SETTINGS)
def global_lp_pool(call: Call) -> Parts:
    """Return powers of magnitudes, their sum in each channel by resistors, and its root."""
    steps, p = Steps(call), norm_of(call)
    terms = magnitudes(steps, steps.given(0), p)
    total = steps.sums("sum", terms, tuple(range(2, len(call.shape_of(0)))))
    return steps.end(root(steps, total, p))


@operator("AveragePool", attrs={**_COMMON, "count_include_pad": 0}, channelwise=SETTINGS)
def average_pool(call: Call) -> Parts:
    """Return equal resistors for each window. Windows of fewer taps are another kernel."""
    slide = sliding(call, tuple(call.attrs["kernel_shape"]))
    classes = [_classes(call, slide, axis) for axis in range(len(slide.size))]
    channels, out = call.shape[1], lanes(call.shape)
    frame = slide.bordered(channels_first(call.nets(0)))
    reckon(*map(len, classes), KERNEL)
    kernels = []
    for parts in product(*classes):
        counts, places = zip(*parts, strict=True)
        kernels.append(
            Kernel(
                values=filled((channels, slide.taps), 1.0 / prod(counts)),
                cell=None,
                bias=None,
                taps=frame_taps(frame, slide, channels, places),
                sinks=map_sinks(out, channels, places),
                grid=grid(call.shape[0], *map(len, places)),
            )
        )
    return [Linear(call.name, call.bus(0), call.dst, tuple(kernels), cell="resistor")]


@operator("GlobalAveragePool", channelwise=SETTINGS)
def global_average_pool(call: Call) -> Parts:
    """Return one resistor for each pixel and one column for each channel."""
    steps, shape = Steps(call), call.shape_of(0)
    axes = tuple(range(2, len(shape)))
    return steps.end(steps.sums("mean", steps.given(0), axes, 1.0 / prod(shape[2:])))


def _largest(call: Call, taps: Windows) -> Lanes:
    reckon(taps.lines, TERM)
    expr = "x0" if taps.lines == 1 else f"max({','.join(f'x{i}' for i in range(taps.lines))})"
    circuit = Circuit("max", opamps=taps.lines, diodes=taps.lines)
    return Lanes(call.name, (call.bus(0),), call.dst, (taps,), expr, circuit, keeps_scale=True)


def _inside(call: Call, slide: Sliding, axis: int) -> Ints:
    """Return for each coordinate of the bordered map the one inside that replaces it."""
    _refuse_empty(call, slide, axis)
    at = ints(np.arange(-slide.begin[axis], slide.reach(axis)))
    return inside(at, slide.size[axis], slide.dilation[axis])


def _classes(call: Call, slide: Sliding, axis: int) -> list[tuple[int, Ints]]:
    """Return (taps that count, the windows with so many) along an axis."""
    at, border = slide.coordinates(axis), 0
    _refuse_empty(call, slide, axis)
    if call.attrs["count_include_pad"]:
        # Taps behind the declared border, which ceil_mode adds, never count.
        border = 1
    low, high = -border * slide.begin[axis], slide.size[axis] + border * slide.end[axis]
    counts = ((at >= low) & (at < high)).sum(axis=1)
    return [(int(n), ints(np.flatnonzero(counts == n))) for n in np.unique(counts)]


def _refuse_empty(call: Call, slide: Sliding, axis: int) -> None:
    at = slide.coordinates(axis)
    if not ((at >= 0) & (at < slide.size[axis])).any(axis=1).all():
        raise call.refuse("a window lies wholly in the border", "lessen its pads")
