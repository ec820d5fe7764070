"""Resize and Upsample: nearest is wires; linear and cubic are fixed resistors, no weights.

Outputs that mix their pixels in the same shares are places of one kernel. Along an axis where
hardly two outputs do, each output is a block of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import inf, prod

import numpy as np

from memxc.ir.bounds import KERNEL, one_operator, reckon
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ir.windows import Ints, Windows, ints
from memxc.ops._board import Board, level
from memxc.ops._call import Call, Parts, axes_of, lanes
from memxc.ops._registry import operator
from memxc.ops._resample import Floats, ResampledAxis, Sampling, cubic, linear, nearest
from memxc.ops._traits import SETTINGS, Channelwise
from memxc.ops._windows import grid, lattice

_TRANSFORMS = (
    "align_corners", "asymmetric", "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
    "tf_crop_and_resize", "tf_half_pixel_for_nn",
)  # fmt: skip
_ROUNDINGS = ("ceil", "floor", "round_prefer_ceil", "round_prefer_floor")
_MODES = ("cubic", "linear", "nearest")
_POLICIES = ("not_larger", "not_smaller", "stretch")


@operator("Upsample", attrs={"mode": "nearest", "scales": None}, channelwise=SETTINGS)
def upsample(call: Call) -> Parts:
    """Return Resize as it was up to opset 9."""
    scales = call.setting("scales", 1)
    if scales is None or scales.shape != (len(call.shape_of(0)),) or call.attrs["mode"] == "cubic":
        raise call.refuse(f"mode = {call.attrs['mode']!r} with scales = {scales}")
    return _resized(call, _axes(call, scales.tolist(), "asymmetric", {}))


@operator(
    "Resize",
    since=10,
    attrs={
        "antialias": 0,
        "axes": None,
        "coordinate_transformation_mode": "half_pixel",
        "cubic_coeff_a": -0.75,
        "exclude_outside": 0,
        "extrapolation_value": 0.0,
        "keep_aspect_ratio_policy": "stretch",
        "mode": "nearest",
        "nearest_mode": "round_prefer_floor",
    },
    channelwise=Channelwise("settings", lambda call: not call.has(3)),
)
def resize(call: Call) -> Parts:
    """Return a stage whose outputs are pixels, or mixtures of pixels."""
    rank, old = len(call.shape_of(0)), call.graph.opset < 11
    transform = "asymmetric" if old else call.attrs["coordinate_transformation_mode"]
    policy = call.attrs["keep_aspect_ratio_policy"]
    if transform not in _TRANSFORMS or policy not in _POLICIES:
        raise call.refuse(
            f"coordinate_transformation_mode = {transform!r} with "
            f"keep_aspect_ratio_policy = {policy!r}"
        )
    given = call.attrs["axes"]
    axes = axes_of(call, "axes", range(rank) if given is None else given)
    roi = {}
    if transform == "tf_crop_and_resize":
        roi = dict(zip(axes, _roi(call, len(axes)), strict=True))
    return _resized(call, _axes(call, _scales(call, axes, 1 if old else 2), transform, roi))


def _roi(call: Call, count: int) -> list[tuple[float, float]]:
    roi = call.constant(1, "roi") if call.has(1) else np.zeros(0)
    if roi.shape != (2 * count,):
        raise call.refuse(f"roi has the shape {roi.shape}, it takes two numbers an axis")
    return [(float(a), float(b)) for a, b in roi.reshape(2, count).T]


def _scales(call: Call, axes: tuple[int, ...], index: int) -> list[float]:
    """Return outputs for each pixel along every axis, from scales or sizes."""
    found = [1.0] * len(call.shape_of(0))
    given = call.constant(index, "scales") if call.has(index) else np.zeros(0)
    sized = not given.size
    if sized:
        given = call.constant(index + 1, "sizes") if call.has(index + 1) else np.zeros(0)
    if given.shape != (len(axes),):
        raise call.refuse(f"scales or sizes of {given.shape} for {len(axes)} axes")
    values = given.tolist()
    if sized:
        values = [size / call.shape_of(0)[axis] for axis, size in zip(axes, values, strict=True)]
        policy = call.attrs["keep_aspect_ratio_policy"]
        if policy != "stretch":
            values = [(min if policy == "not_larger" else max)(values)] * len(axes)
    for axis, value in zip(axes, values, strict=True):
        found[axis] = value
    return found


def _axes(
    call: Call, scales: list[float], transform: str, roi: dict[int, tuple[float, float]]
) -> list[ResampledAxis]:
    """Return how each axis is sampled. Raises MemxcError if ONNX and its runtimes do not agree."""
    mode, found = call.attrs["mode"], []
    if mode not in _MODES or not all(0 < scale < inf for scale in scales):
        raise call.refuse(f"mode = {mode!r} with scales = {scales}")
    whole = zip(call.shape_of(0), call.shape, scales, strict=True)
    for axis, (size, out, scale) in enumerate(whole):
        sampling = Sampling(size, out, scale, transform, roi.get(axis, (0.0, 1.0)))
        if sampling.is_whole:
            sampling = Sampling(size, out, out / size, transform, sampling.roi)
        elif transform in ("align_corners", "tf_crop_and_resize"):
            raise call.refuse(
                f"{transform} with a scale of {scale:g} on {size} pixels: ONNX and its runtimes "
                "place the last one differently",
                "give sizes, or a scale that leaves no fraction of a pixel",
            )
        same = size == out and sampling.is_whole
        if same and sampling.roi != (0.0, 1.0):
            raise call.refuse(
                f"roi = {sampling.roi} on an axis that keeps its {size} pixels: onnxruntime "
                "leaves the axis as it is, ONNX does not",
                "crop with a Slice",
            )
        found.append(_sampled(call, Sampling(size, out, 1.0, "asymmetric") if same else sampling))
    return found


def _sampled(call: Call, sampling: Sampling) -> ResampledAxis:
    options = {name: bool(call.attrs.get(name)) for name in ("antialias", "exclude_outside")}
    match call.attrs["mode"]:
        case "linear":
            return linear(sampling, **options)
        case "cubic":
            a = float(call.attrs["cubic_coeff_a"])
            found = cubic(sampling, a, **options)
            if not np.isfinite(found.weights[~found.outside]).all():
                raise call.refuse(f"cubic_coeff_a = {a:g}: what pixels weigh sums to nothing")
            return found
    rounding = "simple" if call.graph.opset < 11 else call.attrs["nearest_mode"]
    if rounding not in (*_ROUNDINGS, "simple"):
        raise call.refuse(f"nearest_mode = {rounding!r} is not one of {', '.join(_ROUNDINGS)}")
    return nearest(sampling, rounding)


def _resized(call: Call, axes: list[ResampledAxis]) -> Parts:
    if tuple(len(axis.first) for axis in axes) != call.shape:
        raise call.refuse("its output has another rank", code="unsupported-shape")
    beyond = np.zeros(call.shape, dtype=bool)
    for i, axis in enumerate(axes):
        beyond |= np.expand_dims(axis.outside, [a for a in range(len(axes)) if a != i])
    picks = [axis.picks for axis in axes]
    value = float(call.attrs.get("extrapolation_value", 0.0))
    if all(pick is not None for pick in picks):
        board = Board(call)
        nets = ints(board.operand(0)[np.ix_(*[pick for pick in picks if pick is not None])])
        if beyond.any():
            nets = ints(np.where(beyond, board.constant(np.array(value)), nets))
        return board.wires(nets)
    widths = [_reach(axis) for axis in axes]
    reckon(*(n + sum(width) for n, width in zip(call.shape_of(0), widths, strict=True)))
    frame, out = ints(np.pad(call.nets(0), widths, mode="edge")), lanes(call.shape)
    before = [width[0] for width in widths]
    classes = [list(_parts(axis)) for axis in axes]
    reckon(*map(len, classes), KERNEL)
    kernels = [_kernel(frame, before, out, parts) for parts in product(*classes)]
    if beyond.any():
        kernels.append(level(ints(out[beyond]), value))
    return [Linear(call.name, call.bus(0), call.dst, tuple(kernels), cell="resistor")]


@dataclass(frozen=True, eq=False)
class _Part:
    """Outputs of an axis, (blocks, places), that read pixels at the same distances.

    They read the pixels `first` + `offsets` with weights (blocks, taps), none of which is zero.
    """

    outputs: Ints
    first: Ints
    offsets: Ints
    weights: Floats


def _parts(axis: ResampledAxis) -> Iterator[_Part]:
    """Yield outputs of an axis with equal weights, or with equal signs of weights.

    Outputs with equal weights are places of one block. If too many weights differ, each output is a
    block.
    """
    inner = ints(np.flatnonzero(~axis.outside))
    if not inner.size:
        return
    classes = _by(np.round(axis.weights[inner], 9))
    alike = 2 * len(classes) <= len(inner) or len(inner) == 1
    for rows in classes if alike else _by(np.sign(axis.weights[inner])):
        outputs = inner[rows]
        offsets = ints(np.flatnonzero(axis.weights[outputs[0]]))
        weights = axis.weights[outputs[:1] if alike else outputs][:, offsets]
        shape = (1, -1) if alike else (-1, 1)
        yield _Part(outputs.reshape(shape), axis.first[outputs].reshape(shape), offsets, weights)


def _by(rows: Floats) -> list[Ints]:
    """Return the numbers of rows, equal rows together."""
    _, which, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(which.reshape(-1), kind="stable")
    # Counted by itself: `_resized` counts the kernels of all axes together.
    with one_operator():
        reckon(len(counts), KERNEL)
    return [ints(part) for part in np.split(order, np.cumsum(counts)[:-1])]


def _kernel(frame: Ints, before: list[int], out: Ints, parts: tuple[_Part, ...]) -> Kernel:
    """Return the kernel of a part of every axis. before: how far the frame reaches in front."""
    values = np.ones((1, 1))
    reckon(*(part.weights.size for part in parts))
    for part in parts:
        values = np.einsum("gt,hu->ghtu", values, part.weights)
        values = values.reshape(prod(values.shape[:2]), -1)
    first = [ints(part.first + width) for part, width in zip(parts, before, strict=True)]
    taps = _windows(frame, first, [part.offsets for part in parts])
    sinks = _windows(out, [part.outputs for part in parts], [ints([0])] * len(parts))
    return Kernel(values, None, None, taps, sinks, grid(*(p.outputs.shape[1] for p in parts)))


def _windows(frame: Ints, first: list[Ints], offsets: list[Ints]) -> Windows:
    """Return windows: places along axes with several, blocks along axes with several of these."""
    still = ints([0])
    return Windows(
        frame,
        lattice(frame.shape, *(at[0] if len(at) == 1 else still for at in first)),
        lattice(frame.shape, *(still if len(at) == 1 else at[:, 0] for at in first)),
        lattice(frame.shape, *offsets),
    )


def _reach(axis: ResampledAxis) -> tuple[int, int]:
    """Return how far weights reach beyond both ends of an axis."""
    before = max(0, -int(axis.first.min()))
    return before, max(0, int(axis.first.max()) + axis.weights.shape[1] - axis.size)
