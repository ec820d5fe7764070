"""The largest or smallest lane of a window: a MaxPool if windows form a lattice."""

from __future__ import annotations

import ast
from math import prod

import numpy as np

from memxc.backends.twin import gather
from memxc.backends.twin.graph_builder import Shape, Sheet, TwinTensor
from memxc.ir import expr
from memxc.ir.stages import Lanes
from memxc.ir.windows import Ints, Windows

#: onnxruntime pools over at most so many axes of space.
_MOST_AXES = 3


def draw(sheet: Sheet, stage: Lanes, source: TwinTensor) -> TwinTensor | None:
    """Return the extremum of each window of a stage, or None if its function is another one."""
    taps = stage.taps[0]
    kind = _extremum(stage.expr, taps.lines)
    if kind is None:
        return None
    pooled = _pooled(sheet, taps, sheet.first(source)) if kind == "Max" else None
    if pooled is not None:
        return pooled
    nets = taps.nets()
    windows = gather.take(sheet, source, nets.reshape(-1, taps.lines))
    name = sheet.op(f"Reduce{kind}", windows.name, axes=[2], keepdims=0)
    return TwinTensor(name, (len(nets) * taps.places,))


def _extremum(text: str, lines: int) -> str | None:
    """Return Max or Min if a function is that of all lines of its window, else None."""
    tree = expr.parse(text)
    calls = [part for part in ast.walk(tree) if isinstance(part, ast.Call)]
    words = {part.func.id for part in calls if isinstance(part.func, ast.Name)}
    leaves = [arg for call in calls for arg in call.args if not isinstance(arg, ast.Call)]
    names = {leaf.id for leaf in leaves if isinstance(leaf, ast.Name)}
    only = isinstance(tree, ast.Call) and all(isinstance(leaf, ast.Name) for leaf in leaves)
    if not only or names != {f"x{line}" for line in range(lines)} or len(words) != 1:
        return None
    return {"max": "Max", "min": "Min"}.get(words.pop())


def _pooled(sheet: Sheet, taps: Windows, source: TwinTensor) -> TwinTensor | None:
    """Return a MaxPool, or None if the windows are not those of one."""
    origin, group, offset = taps.coordinates()
    maps, space = taps.frame.shape[0], taps.frame.ndim - 1
    still = np.zeros((maps, space + 1), dtype=np.int32)
    still[:, 0] = np.arange(maps)
    starts, lines = _lattice(origin), _lattice(offset)
    if not 1 <= space <= _MOST_AXES or starts is None or lines is None:
        return None
    if not np.array_equal(group, still) or starts[2][0] != 1 or lines[2][0] != 1:
        return None
    size = tuple(source.shape[len(source.shape) - space :])
    at = _plain(taps.frame, (maps, *size)) if maps * prod(size) == source.width else None
    if at is None:
        return None
    (first, stride, count), (_, dilation, kernel) = (
        [list(v[1:]) for v in part] for part in (starts, lines)
    )
    begin = [a - f for a, f in zip(at, first, strict=True)]
    end = [
        f + (n - 1) * s + (k - 1) * d + 1 - (a + z)
        for f, n, s, k, d, a, z in zip(
            first, count, stride, kernel, dilation, at, size, strict=True
        )
    ]
    extra = [max(0, e) for e in end]
    reached = [
        (z + b + e - (k - 1) * d - 1) // s + 1
        for z, b, e, k, d, s in zip(size, begin, extra, kernel, dilation, stride, strict=True)
    ]
    fits = all(0 <= b < k and e < k for b, e, k in zip(begin, extra, kernel, strict=True))
    if reached != count or not fits or not _repeats(taps, at, size):
        return None
    name = sheet.op(
        "MaxPool", sheet.reshape(source, (maps, *size)).name, kernel_shape=kernel, strides=stride,
        dilations=dilation, pads=[*begin, *extra],
    )  # fmt: skip
    return TwinTensor(name, (maps, *count))


def _lattice(coordinates: Ints) -> tuple[list[int], list[int], list[int]] | None:
    """Return the first, step and count of each axis of points in a row-major lattice, or None."""
    firsts, steps, counts = [], [], []
    for along in coordinates.T:
        values = np.unique(along)
        step = int(values[1] - values[0]) if len(values) > 1 else 1
        if (np.diff(values) != step).any():
            return None
        firsts.append(int(values[0]))
        steps.append(step)
        counts.append(len(values))
    points = np.indices(counts).reshape(len(counts), -1).T * steps + firsts
    return (firsts, steps, counts) if np.array_equal(points, coordinates) else None


def _plain(frame: Ints, shape: Shape) -> list[int] | None:
    """Return where the bus begins in a frame with a border, along each axis of space, or None."""
    wanted = np.arange(prod(shape)).reshape(shape)
    for at in np.argwhere(frame == 0):
        inner = frame[tuple(slice(a, a + n) for a, n in zip(at, shape, strict=True))]
        # A frame ends with the last window, so it may hold only a part of the bus.
        if np.array_equal(inner, wanted[tuple(slice(0, n) for n in inner.shape)]):
            return [int(a) for a in at[1:]]
    return None


def _repeats(taps: Windows, at: list[int], size: Shape) -> bool:
    """Return whether every tap in the border repeats a tap inside the map, of the same window.

    Then the border changes no maximum, and MaxPool, which pads with -infinity, gives the same.
    """
    if not (taps.frame[1:] - taps.frame[:-1] == prod(size)).all():
        return False
    origin, _, offset = taps.coordinates()
    points = origin[:, None, 1:] + offset[:, 1:]
    inside = np.asarray(((points >= at) & (points < np.add(at, size))).all(axis=2))
    nets = taps.nets(slice(0, 1))[0]
    border = np.flatnonzero(np.logical_not(inside).any(axis=1))
    return all(np.isin(nets[p], nets[p][inside[p]]).all() for p in border.tolist())
