"""calibrate: volts per unit of each bus, the limiters, and how many word lines a bias takes.

    scale = read voltage / (margin * largest magnitude on the samples),  volts per unit

A bias line carries the read voltage, so the conductance of a bias is bias * scale / read voltage in
units of a weight. If that is larger than the weights of its column, the bias gets more lines.

docs/decisions/0003-calibrate-first.md says why this comes before partition. The threshold limiter
is that of the ShuffleNetV2 circuits (paper 4 of docs/papers.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.errors import Fault, MemxcError
from memxc.evaluation import evaluate
from memxc.interfaces import Context, DesignPass, Result
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Lanes, Linear, Rename
from memxc.mapping.feedback import largest_weights

#: More bias lines than this cost more in rows than they gain in resolution.
_MOST_BIAS_LINES = 8
#: With a larger margin, the signals would use next to nothing of the read voltage.
_MOST_MARGIN = 1e3
#: Samples that are no larger count as zeros with noise: no amplifier could bring them to volts.
_NOTHING = 1e-30


@dataclass(frozen=True)
class Calibrate(DesignPass):
    """Give each bus its scale so that what drives memristors stays within the read voltage.

    Buses joined by wires, ReLU, limiters or MaxPool share one scale. The largest magnitude seen on
    the samples maps to the read voltage; without samples of the user's own, `margin` times that.
    """

    name = "calibrate"
    margin: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.margin <= _MOST_MARGIN:
            raise ValueError(f"margin = {self.margin:g} is not between 1 and {_MOST_MARGIN:g}")

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with scales, limits, mean squares and bias lines.

        Raises MemxcError (bad-samples) if a bus is NaN or infinite on the samples.
        """
        margin = self.margin if ctx.assumed_inputs else 1.0
        seen = observe(design, ctx.samples)
        scales = _scales(design, ctx, margin, seen.peaks)
        # The limiters clip none of these samples, because the scales are chosen for them.
        with np.errstate(invalid="ignore"):  # squares beyond 1e154 overflow
            squares = {name: v * scales[name] ** 2 for name, v in seen.squares.items()}
        limits = _limited(design) if math.isfinite(ctx.target.device.threshold_v) else set()
        buses = {
            name: replace(
                bus,
                scale=scales.get(name),
                limit=ctx.target.device.threshold_v if name in limits else None,
                mean_square=squares.get(name),
            )
            for name, bus in design.buses.items()
        }
        stages = tuple(
            _with_bias_lines(stage, buses, ctx) if isinstance(stage, Linear) else stage
            for stage in design.stages
        )
        return Result(replace(design, buses=buses, stages=stages))


def round_up(value: float, digits: int = 3) -> float:
    """Return the next larger number with few digits.

    So the last bits of a sum, which depend on the processor, do not reach the volts.
    """
    step = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    # The tolerance keeps 1.23 from becoming 1.24 when it came as 1.2300000000000002.
    return float(f"{math.ceil(value / step - 1e-6) * step:.{digits - 1}e}")


@dataclass(frozen=True, eq=False)
class Seen:
    """The values on the buses of a network over all samples, in units of activation.

    peaks: the largest magnitude on each bus.
    squares: the mean square of each lane, (width,), for each bus that weights read or drive.
    """

    peaks: dict[str, float]
    squares: dict[str, NDArray[np.float64]]


def observe(design: Design, samples: Mapping[str, NDArray[Any]]) -> Seen:
    """Return the peaks and mean squares of a design on the samples."""
    peaks = dict.fromkeys(design.buses, 0.0)
    linear = [stage for stage in design.stages if isinstance(stage, Linear)]
    ends = {name for stage in linear for name in (stage.src, stage.dst)}
    squares = {name: np.zeros(bus.width) for name, bus in design.buses.items() if name in ends}
    count = max(map(len, samples.values()), default=1)
    for batch in evaluate.batches(design, samples):
        for name, values in evaluate.walk(design, batch):
            # numpy's maximum keeps NaN, Python's may lose it.
            peaks[name] = float(np.maximum(peaks[name], np.abs(values).max(initial=0.0)))
            if name in squares:
                with np.errstate(over="ignore"):
                    squares[name] += np.square(values).sum(axis=0) / count
    return Seen(peaks, squares)


def _scales(
    design: Design, ctx: Context, margin: float, peak: Mapping[str, float]
) -> dict[str, float]:
    # A limiter is behind the driver of a signal, so it acts on the whole bus that is driven, and
    # not only on the lanes that weights read.
    driving = {*_programmed(design)} | _limited(design)
    scales: dict[str, float] = {}
    families = [(family, (family & driving) or family) for family in _families(design)]
    faults = [
        Fault(
            "bad-samples",
            name,
            f"reaches {peak[name]:g} on the samples; no volts stand for that",
            "give --samples on which the network is finite",
        )
        for _, deciding in families
        for name in peak
        if name in deciding and not math.isfinite(peak[name])
    ]
    if faults:
        raise MemxcError(faults)
    for family, deciding in families:
        largest = max(peak[name] for name in deciding)
        scale = ctx.target.device.read_voltage_v / round_up(
            margin * largest if largest > _NOTHING else 1.0
        )
        scales.update(dict.fromkeys(family, scale))
    return scales


def _programmed(design: Design) -> list[str]:
    """Return the buses that memristors read."""
    return [
        stage.src for stage in design.stages if isinstance(stage, Linear) and stage.programmable
    ]


def _families(design: Design) -> Iterator[set[str]]:
    """Yield the sets of buses that share a scale, in the order of their first bus.

    Digital buses have no volts and belong to no set.
    """
    family: dict[str, set[str]] = {}
    digital = design.digital
    for name in design.inputs:
        if name not in digital:
            family[name] = {name}
    for stage in design.stages:
        if stage.dst in digital:
            continue
        family[stage.dst] = {stage.dst}
        if isinstance(stage, Rename) or (isinstance(stage, Lanes) and stage.keeps_scale):
            merged = set().union(family[stage.dst], *(family[src] for src in stage.srcs))
            family.update(dict.fromkeys(merged, merged))
    seen: set[int] = set()
    for group in family.values():
        if id(group) not in seen:
            seen.add(id(group))
            yield group


def _limited(design: Design) -> set[str]:
    """Return the buses whose drivers need a limiter: memristors read them, directly or by wires."""
    return design.behind_wires(_programmed(design))


def _with_bias_lines(stage: Linear, buses: dict[str, Bus], ctx: Context) -> Linear:
    if not stage.programmable:
        return stage
    rows, _ = ctx.lines(stage.name)
    limit = max(1, min(_MOST_BIAS_LINES, rows // 4))
    unit = (buses[stage.src].scale or 1.0) / ctx.target.device.read_voltage_v
    return replace(
        stage,
        kernels=tuple(
            replace(kernel, bias_lines=_bias_lines(kernel, unit, limit)) for kernel in stage.kernels
        ),
    )


def _bias_lines(kernel: Kernel, unit: float, limit: int) -> int:
    """Return how many lines a bias takes, at most `limit`.

    With so many, no device of a bias exceeds the largest weight of its column.
    """
    if kernel.bias is None or not kernel.rows:
        return 1
    weight = largest_weights(kernel)
    bias = np.abs(np.asarray(kernel.bias, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        lines = np.where(weight > 0, bias * unit / weight, 1.0)
    # Very small samples make this infinite, which is no integer, so it is clipped before.
    return math.ceil(float(np.clip(lines.max(initial=1.0) - 1e-9, 1, limit)))
