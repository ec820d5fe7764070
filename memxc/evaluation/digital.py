"""Stages that stay digital: functions at the edge of the network in numpy, islands in onnxruntime.

A Digital stage names one of these functions and its options. Options are plain numbers, strings and
lists, so that a design can be stored. An island has a part of the original network instead, which
onnxruntime computes in the worker, in the types of the network. All values are in units of
activation. `shape` is the tensor's own shape, batch axis included; the
samples are one more axis in front, and they are never mixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.errors import fail
from memxc.evaluation import reference
from memxc.ir.design import Bus
from memxc.ir.subgraph import Subgraph

Floats = NDArray[np.float64]


def apply(function: str, tensors: Sequence[Floats], options: Mapping[str, Any]) -> Floats:
    """Return the result (samples, ...) of a digital function of `tensors` (samples, ...)."""
    return FUNCTIONS[function](*tensors, **options)


def island(
    name: str,
    subgraph: Subgraph,
    tensors: Sequence[Floats],
    shapes: Sequence[Sequence[int]],
    dst: Bus,
) -> Floats:
    """Return what an island puts on its bus `dst`, (samples, width).

    name: of its stage. tensors: what its inputs hold, (samples, ...). shapes: those of the inputs,
    with the batch axis. Raises MemxcError: unsupported-model if onnxruntime refuses the island or
    does not return, bad-design if its answer does not have the size of the bus.
    """
    count = len(tensors[0])
    named = {
        f"x{k}": tensor.reshape(count, *shape)
        for k, (tensor, shape) in enumerate(zip(tensors, shapes, strict=True))
    }
    answer = reference.each(subgraph.model.tobytes(), named, f"y{subgraph.output}", name)
    if answer.size != count * dst.width:
        what = f"the island gives {answer.size:,} numbers for {count * dst.width:,} nets"
        raise fail("bad-design", name, what, "compile the model again")
    return np.asarray(answer, dtype=np.float64).reshape(count, -1)


def softmax(x: Floats, *, shape: Sequence[int], axes: Sequence[int]) -> Floats:
    """Return exponentials that sum to one over `axes`.

    There are several axes because an opset below 13 flattens the axes that follow the first one.
    """
    x, over = _samples(x, shape, axes)
    power: Floats = np.exp(x - x.max(axis=over, keepdims=True))
    return np.asarray(power / power.sum(axis=over, keepdims=True))


def log_softmax(x: Floats, *, shape: Sequence[int], axes: Sequence[int]) -> Floats:
    """Return the logarithm of `softmax`, computed without its underflow."""
    x, over = _samples(x, shape, axes)
    x = x - x.max(axis=over, keepdims=True)
    return np.asarray(x - np.log(np.exp(x).sum(axis=over, keepdims=True)))


def argmax(x: Floats, *, shape: Sequence[int], axis: int, keepdims: bool, last: bool) -> Floats:
    """Return the index of the largest value along `axis`; of equal ones the first, or the last."""
    x, over = _samples(x, shape, [axis])
    if last:
        x = np.flip(x, axis=over)
    index = np.argmax(x, axis=over[0], keepdims=keepdims)
    return np.asarray(shape[axis] - 1 - index if last else index, dtype=np.float64)


FUNCTIONS: dict[str, Callable[..., Floats]] = {
    "softmax": softmax,
    "log-softmax": log_softmax,
    "argmax": argmax,
}


def check(function: str, options: Mapping[str, Any], sources: Sequence[int], width: int) -> None:
    """Raise ValueError, with a sentence, if a digital stage from a file is not possible.

    sources: number of nets of each source. width: number of nets of the result.
    """
    if function not in FUNCTIONS:
        raise ValueError(f"there is no digital function {function!r}")
    wanted = {"shape", "axis", "keepdims", "last"} if function == "argmax" else {"shape", "axes"}
    if set(options) != wanted:
        raise ValueError(f"the options of {function} are not {', '.join(sorted(wanted))}")
    shape, axes = options["shape"], options.get("axes", [options.get("axis")])
    if not _counts(shape, 1) or [math.prod(shape)] != list(sources):
        raise ValueError(f"the shape of {function} is not that of its source: {shape!r}")
    if not _counts(axes, 0) or max(axes) >= len(shape) or len(set(axes)) < len(axes):
        raise ValueError(f"{function} goes along axes that {shape!r} does not have: {axes!r}")
    if not all(isinstance(options.get(name, True), bool) for name in ("keepdims", "last")):
        raise ValueError("keepdims and last of argmax are true or false")
    if width != sources[0] // (shape[axes[0]] if function == "argmax" else 1):
        raise ValueError(f"{function} does not give the {width:,} nets of its bus")


def _counts(values: Any, least: int) -> bool:
    """Return whether this is a list of at least one whole number, none of them below `least`."""
    sequence = isinstance(values, (list, tuple)) and len(values) > 0
    return sequence and all(type(value) is int and value >= least for value in values)


def _samples(
    x: Floats, shape: Sequence[int], axes: Sequence[int]
) -> tuple[Floats, tuple[int, ...]]:
    """Return the samples (samples, *shape), and the positions of `axes` (>= 0) in that array."""
    return x.reshape(len(x), *shape), tuple(axis + 1 for axis in axes)
