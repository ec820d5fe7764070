"""Fitting layer by layer: the network as it was and the changed network are walked side by side."""

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

#: Moments are measured on so many patches, and so many numbers are gathered at once.
_PATCHES, _CHUNK = 1 << 16, 1 << 22


class Fitted(Protocol):
    """A fitted kernel: dense (filters, ..., taps) and bias (filters,)."""

    @property
    def dense(self) -> Floats:
        """The weights."""

    @property
    def bias(self) -> Floats:
        """One number for each filter."""


F = TypeVar("F", bound=Fitted)


def refit_stages(
    design: Design,
    inputs: Mapping[str, NDArray[Any]],
    layers: Collection[str],
    fit: Callable[[Linear, PatchMoments], F],
    changed: Mapping[str, Stage] = MappingProxyType({}),
) -> dict[str, F]:
    """Return a fitted kernel for each of `layers` (by bus), from the first to the last.

    fit: returns a kernel for a stage, given the moments of its inputs and of the wanted answers.
    changed: stages, by bus, that replace stages of the network before they are fitted.

    Each layer reads what the changed layers before it give, and is fitted to answer as the network
    did. If its answer is added to another signal, it also makes up for the error of that signal. If
    only a rectifier reads it, answers below zero need not agree.
    """
    readers = Counter(src for stage in design.stages for src in stage.srcs)
    truth = {n: evaluate.drive(design.buses[n], inputs[n]) for n in design.inputs}
    now, fitted = dict(truth), dict[str, F]()
    for stage in design.stages:
        answer = evaluate.step(stage, design.buses, [truth[src] for src in stage.srcs])
        stage_now = changed.get(stage.dst, stage)
        if stage.dst in layers and isinstance(stage_now, Linear):
            kernel = _refitted(stage_now, _use(stage.dst, design), design, answer, truth, now, fit)
            fitted[stage.dst], stage_now = kernel, fitted_stage(stage_now, kernel)
        unchanged = stage_now is stage and all(now[src] is truth[src] for src in stage.srcs)
        sources = [now[src] for src in stage.srcs]
        now[stage.dst] = answer if unchanged else evaluate.step(stage_now, design.buses, sources)
        truth[stage.dst] = answer
        readers.subtract(stage.srcs)
        for name in {*stage.srcs, stage.dst}:
            if not readers[name]:
                del truth[name], now[name]
    return fitted


def _refitted(
    stage: Linear,
    use: _Use,
    design: Design,
    answer: Floats,
    truth: Mapping[str, Floats],
    now: Mapping[str, Floats],
    fit: Callable[[Linear, PatchMoments], F],
) -> F:
    is_added = use.other in now
    other = now[use.other] if is_added else 0.0
    # The reader reads a sum. `answer` is this stage's part of it, the rest is another bus.
    wanted = answer + truth[use.other] if is_added else answer
    kernel = fit(stage, measured_moments(stage, now[stage.src], wanted - other))
    if use.rectified and (is_added or not use.other):
        reached = evaluate.step(fitted_stage(stage, kernel), design.buses, [now[stage.src]])
        # Below zero all numbers are alike to a rectifier, so the fit keeps what it reached there.
        wanted = np.where(wanted > 0, wanted, np.minimum(reached + other, 0.0))
        kernel = fit(stage, measured_moments(stage, now[stage.src], wanted - other))
    return kernel


def measured_moments(stage: Linear, source: Floats, wanted: Floats) -> PatchMoments:
    """Return the moments of a convolution of one group: patches of `source`, lanes of `wanted`."""
    (kernel,) = stage.kernels
    rng, taps, sinks = np.random.default_rng(0), kernel.taps.nets()[0], kernel.sinks.nets()[0]
    padded = np.concatenate([source, np.zeros((len(source), 1))], axis=1)
    chosen = min(kernel.places, max(1, _PATCHES // len(source)))
    batch = max(1, _CHUNK // (chosen * (kernel.rows + kernel.columns)))
    count, first = 0, np.zeros(kernel.rows + kernel.columns)
    second = np.zeros((len(first), kernel.rows))
    for start in range(0, len(source), batch):
        places = np.sort(rng.permutation(kernel.places)[:chosen])
        x = padded[start : start + batch, taps[places]].reshape(-1, kernel.rows)
        y = wanted[start : start + batch, sinks[places]].reshape(-1, kernel.columns)
        both = np.concatenate([x, y], axis=1)
        count, first, second = count + len(x), first + both.sum(axis=0), second + both.T @ x
    mean = first / count
    second = second / count - np.outer(mean, mean[: kernel.rows])
    return PatchMoments(
        mean[: kernel.rows], mean[kernel.rows :], second[: kernel.rows], second[kernel.rows :]
    )


def fitted_stage(stage: Linear, fitted: Fitted) -> Linear:
    """Return the stage with a fitted kernel."""
    (kernel,) = stage.kernels
    dense = fitted.dense.reshape(len(fitted.bias), -1).T.reshape(1, -1)
    return replace(stage, kernels=(replace(kernel, values=dense, bias=fitted.bias[None]),))


@dataclass(frozen=True)
class _Use:
    """How a bus is used: the bus `other` ("" for none) is added to it, then it may be rectified."""

    other: str
    rectified: bool


def _use(bus: str, design: Design) -> _Use:
    reader, other = _only_reader(bus, design), ""
    if reader is not None and reader.adds:
        other = next((src for src in reader.srcs if src != bus), "")
        reader = _only_reader(reader.dst, design) if other else None
    return _Use(other, reader is not None and reader.rectifies)


def _only_reader(bus: str, design: Design) -> Lanes | None:
    """Return the only stage that reads a bus, if it works on each lane by itself."""
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
