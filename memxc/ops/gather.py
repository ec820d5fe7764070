"""Lanes selected by constant indices: Gather and its kin, Compress, ReverseSequence."""

from __future__ import annotations

import numpy as np

from memxc.ir.windows import Ints, ints
from memxc.ops._call import Call, Parts, axis_of
from memxc.ops._nets import rename, within
from memxc.ops._registry import operator


@operator("Gather", attrs={"axis": 0})
def gather(call: Call) -> Parts:
    """Return slices along an axis, in the order of constant indices."""
    axis, given = axis_of(call, "axis"), call.constant(1, "indices")
    nets = call.nets(0)
    indices = within(call, given, nets.shape[axis])
    return [rename(call, ints(np.take(nets, indices, axis=axis)))]


@operator("GatherElements", since=11, attrs={"axis": 0})
def gather_elements(call: Call) -> Parts:
    """Return one lane for each constant index."""
    axis, given = axis_of(call, "axis"), call.constant(1, "indices")
    nets = call.nets(0)
    indices = within(call, given, nets.shape[axis])
    inside = (count <= size for count, size in zip(indices.shape, nets.shape, strict=False))
    fits = [within_it or other == axis for other, within_it in enumerate(inside)]
    if indices.ndim != nets.ndim or not all(fits):
        what = f"indices of {indices.shape} do not fit {nets.shape}"
        raise call.refuse(what, code="unsupported-shape")
    where: list[Ints] = list(np.indices(indices.shape))
    where[axis] = indices
    return [rename(call, nets[tuple(where)])]


@operator("GatherND", since=11, attrs={"batch_dims": 0})
def gather_nd(call: Call) -> Parts:
    """Return slices at constant coordinates of several axes."""
    indices, batch = call.constant(1, "indices"), call.attrs["batch_dims"]
    nets = call.nets(0)
    depth = indices.shape[-1]
    if batch < 0 or indices.shape[:batch] != nets.shape[:batch] or batch + depth > nets.ndim:
        raise call.refuse(
            f"indices of {indices.shape} do not fit {nets.shape}", code="unsupported-shape"
        )
    leading = np.indices(indices.shape[:-1])[:batch]
    inner = [within(call, indices[..., i], nets.shape[batch + i]) for i in range(depth)]
    return [rename(call, ints(nets[(*leading, *inner)]))]


@operator("Compress", since=9, attrs={"axis": None})
def compress(call: Call) -> Parts:
    """Return the slices that a constant condition keeps."""
    condition, nets = call.constant(1, "condition").astype(bool), call.nets(0)
    axis = None if call.attrs["axis"] is None else axis_of(call, "axis")
    most = nets.size if axis is None else nets.shape[axis]
    if condition.ndim != 1 or condition.size > most:
        raise call.refuse(
            f"a condition of {condition.shape} for {most} slices", code="unsupported-shape"
        )
    return [rename(call, ints(np.compress(condition, nets, axis=axis)))]


@operator("ReverseSequence", since=10, attrs={"batch_axis": 1, "time_axis": 0})
def reverse_sequence(call: Call) -> Parts:
    """Return sequences with their first steps reversed; how many is a constant."""
    time, batch = axis_of(call, "time_axis"), axis_of(call, "batch_axis")
    if time == batch:
        raise call.refuse(f"time_axis and batch_axis are both {time}")
    nets = call.nets(0)
    lengths = call.constant(1, "sequence_lens")
    turned = _turned(nets.shape[time], lengths.astype(np.int64))
    if lengths.shape != (nets.shape[batch],) or not 0 <= lengths.min() <= lengths.max() <= len(
        turned
    ):
        raise call.refuse(f"sequence_lens = {lengths.tolist()[:8]} does not fit {nets.shape}")
    moved = np.moveaxis(nets, (time, batch), (0, 1))
    picked = moved[turned, np.arange(len(lengths))]
    return [rename(call, ints(np.moveaxis(picked, (0, 1), (time, batch))))]


def _turned(steps: int, lengths: Ints) -> Ints:
    """Return the step that is read at each step, (steps, sequences)."""
    step = np.arange(steps)[:, None]
    return ints(np.where(step < lengths, lengths - 1 - step, step))
