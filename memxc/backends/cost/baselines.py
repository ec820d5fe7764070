"""Baselines: the same network built in older ways, so that a report can compare.

inverted inputs: kernels of (2M+1) x 1, in the layout that the user asked for.
paper rule: sub-images, one (channel, filter) pair a crossbar, always parallel.
im2col: a crossbar for every place of a kernel.

Each of them is laid out, programmed and counted like the network itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from memxc import passes
from memxc.backends.cost import estimate, latency, power, resources
from memxc.backends.cost.rows import Baseline, Consumption
from memxc.errors import MemxcError
from memxc.interfaces import Context, DesignPass
from memxc.ir.design import Design
from memxc.ir.stages import Signed


@dataclass(frozen=True)
class _Way:
    """A way to build a network: how signs are built, and the options that it fixes."""

    name: str
    signed: Signed
    stages: Mapping[str, str]


_WAYS = (
    _Way("inverted inputs", "inverted-inputs", {}),
    _Way("paper rule", "differential", {"partition": "paper", "schedule": "parallel"}),
    _Way("im2col", "differential", {"partition": "none"}),
)


def measure(design: Design, partition: str, ctx: Context) -> tuple[list[Baseline], list[str]]:
    """Return a baseline for each older way, and a warning for each way that cannot be built.

    design: before it is laid out. Its volts stay as they were calibrated.
    partition: the policy that the user asked for.
    """
    baselines, warnings = [], []
    for way in _WAYS:
        try:
            baselines.append(_measured(way, design, partition, ctx))
        except MemxcError as error:
            warnings.append(f"no baseline {way.name}: {error.faults[0].what}")
    return baselines, warnings


def _measured(way: _Way, design: Design, partition: str, ctx: Context) -> Baseline:
    stages = _without(ctx, way.stages)
    ctx = replace(ctx, signed=way.signed, stage_set=stages)
    known = passes.available()
    scaled = any(bus.scale is not None for bus in design.buses.values())
    pipeline = [
        *([known["schedule"](mode=way.stages["schedule"])] if "schedule" in way.stages else []),  # type: ignore[call-arg]
        known["partition"](policy=way.stages.get("partition", partition)),  # type: ignore[call-arg]
        *(known[name]() for name in ("tile", "program", "share")),
    ]
    if not scaled:
        design = known["calibrate"]().run(design, ctx).ir  # type: ignore[attr-defined]
    changes = [change for change in pipeline if isinstance(change, DesignPass)]
    estimated = estimate.estimate(design, changes, ctx)
    time = latency.measure(estimated.design, ctx.target.crossbar.stage_time_s)
    return Baseline(
        name=way.name,
        resources=resources.total(estimated.resources).bill(),
        power=Consumption.over(power.total(estimated.power), time.inference_s),
        latency=time,
    )


def _without(ctx: Context, keys: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the options of single stages without those that the way of building fixes."""
    return {
        stage: {key: value for key, value in options.items() if key not in keys}
        for stage, options in ctx.stage_set.items()
    }
