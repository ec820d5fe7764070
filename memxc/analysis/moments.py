"""Two networks walked side by side, the one as it was, the other with what was changed so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from memxc.analysis.separable import PatchMoments
from memxc.evaluation import evaluate
from memxc.ir.design import Design
from memxc.ir.stages import Lanes, Linear, Stage

Floats = NDArray[np.float64]

#: Patches that moments are taken of, and numbers gathered at once.
_PATCHES, _CHUNK = 1 << 16, 1 << 22


class Fitted(Protocol):
    """A fitted kernel: dense (filters, ..., taps) and bias (filters,)."""

    @property
    def dense(self) -> Floats:
        """The weights."""

    @property
    def bias(self) -> Floats:
        """One number a filter."""


F = TypeVar("F", bound=Fitted)


def refit_stages(
    design: Design,
    inputs: Mapping[str, NDArray[Any]],
    layers: Collection[str],
    fit: Callable[[Linear, PatchMoments], F],
    changed: Mapping[str, Stage] = MappingProxyType({}),
) -> dict[str, F]:
    """A kernel for each of `layers` (by bus), from the first to the last.

    Each sees the inputs that the layers changed before it leave, and is fitted to answer as the
    network did. Where its answer is added to another signal, it makes up for that one's error;
    where only a rectifier reads it, what is below zero need not be met. changed: what stands in
    place of a stage of the network before it is fitted, by bus.
    """
    readers = Counter(src for stage in design.stages for src in stage.srcs)
    truth = {n: evaluate.drive(design.buses[n], inputs[n]) for n in design.inputs}
    now, found = dict(truth), dict[str, F]()
    for stage in design.stages:
        right = evaluate.step(stage, design.buses, [truth[src] for src in stage.srcs])
        made = changed.get(stage.dst, stage)
        if stage.dst in layers and isinstance(made, Linear):
            kernel = _refitted(made, _use(stage.dst, design), design, right, truth, now, fit)
            found[stage.dst], made = kernel, fitted_stage(made, kernel)
        same = made is stage and all(now[src] is truth[src] for src in stage.srcs)
        sources = [now[src] for src in stage.srcs]
        now[stage.dst] = right if same else evaluate.step(made, design.buses, sources)
        truth[stage.dst] = right
        readers.subtract(stage.srcs)
        for name in {*stage.srcs, stage.dst}:
            if not readers[name]:
                del truth[name], now[name]
    return found


def _refitted(
    stage: Linear,
    use: _Use,
    design: Design,
    right: Floats,
    truth: Mapping[str, Floats],
    now: Mapping[str, Floats],
    fit: Callable[[Linear, PatchMoments], F],
) -> F:
    known = use.other in now
    other = now[use.other] if known else 0.0
    # What is read is the sum; `right` of it is the answer, the rest comes from elsewhere.
    wanted = right + truth[use.other] if known else right
    kernel = fit(stage, measured_moments(stage, now[stage.src], wanted - other))
    if use.rectified and (known or not use.other):
        answer = evaluate.step(fitted_stage(stage, kernel), design.buses, [now[stage.src]])
        # All that is below zero is alike: what the answer has there is as good.
        wanted = np.where(wanted > 0, wanted, np.minimum(answer + other, 0.0))
        kernel = fit(stage, measured_moments(stage, now[stage.src], wanted - other))
    return kernel


def measured_moments(stage: Linear, source: Floats, wanted: Floats) -> PatchMoments:
    """Moments of a convolution of one group: patches of `source`, lanes of `wanted`."""
    (kernel,) = stage.kernels
    rng, taps, sinks = np.random.default_rng(0), kernel.taps.nets()[0], kernel.sinks.nets()[0]
    padded = np.concatenate([source, np.zeros((len(source), 1))], axis=1)
    some = min(kernel.places, max(1, _PATCHES // len(source)))
    batch = max(1, _CHUNK // (some * (kernel.rows + kernel.columns)))
    count, first = 0, np.zeros(kernel.rows + kernel.columns)
    second = np.zeros((len(first), kernel.rows))
    for start in range(0, len(source), batch):
        places = np.sort(rng.permutation(kernel.places)[:some])
        x = padded[start : start + batch, taps[places]].reshape(-1, kernel.rows)
        y = wanted[start : start + batch, sinks[places]].reshape(-1, kernel.columns)
        both = np.concatenate([x, y], axis=1)
        count, first, second = count + len(x), first + both.sum(axis=0), second + both.T @ x
    mean = first / count
    second = second / count - np.outer(mean, mean[: kernel.rows])
    return PatchMoments(
        mean[: kernel.rows], mean[kernel.rows :], second[: kernel.rows], second[kernel.rows :]
    )


def fitted_stage(stage: Linear, found: Fitted) -> Linear:
    """The stage with a fitted kernel."""
    (kernel,) = stage.kernels
    dense = found.dense.reshape(len(found.bias), -1).T.reshape(1, -1)
    return replace(stage, kernels=(replace(kernel, values=dense, bias=found.bias[None]),))


@dataclass(frozen=True)
class _Use:
    """What becomes of a bus: the bus `other` ("" for none) is added, then a rectifier may come."""

    other: str
    rectified: bool


def _use(bus: str, design: Design) -> _Use:
    reader, other = _only_reader(bus, design), ""
    if reader is not None and reader.adds:
        other = next((src for src in reader.srcs if src != bus), "")
        reader = _only_reader(reader.dst, design) if other else None
    return _Use(other, reader is not None and reader.rectifies)


def _only_reader(bus: str, design: Design) -> Lanes | None:
    """The only stage that reads a bus, if each of its lanes reads its own lane of each source."""
    readers = [stage for stage in design.stages if bus in stage.srcs]
    if len(readers) != 1 or bus in design.outputs:
        return None
    stage = readers[0]
    if not isinstance(stage, Lanes):
        return None
    lanes = np.arange(design.buses[stage.dst].width)
    for taps in stage.taps:
        if taps.lines != 1 or not np.array_equal(taps.nets().reshape(-1), lanes):
            return None
    return stage
