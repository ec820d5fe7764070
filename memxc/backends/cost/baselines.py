"""The same network in the older ways, each laid out and programmed, so that a report can compare.

inverted inputs: (2M+1) x 1 kernels and the layout that was asked for. paper rule: sub-images, one
(channel, filter) pair a crossbar, always parallel. im2col: a crossbar for every place of a kernel.
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
    """A way of building: how signs are kept, and what of every stage is otherwise than asked."""

    name: str
    signed: Signed
    stages: Mapping[str, str]


_WAYS = (
    _Way("inverted inputs", "inverted-inputs", {}),
    _Way("paper rule", "differential", {"partition": "paper", "schedule": "parallel"}),
    _Way("im2col", "differential", {"partition": "none"}),
)


def measure(design: Design, partition: str, ctx: Context) -> tuple[list[Baseline], list[str]]:
    """Every older way of a design that is not laid out yet, and a warning of each that cannot be.

    partition: the layout asked for. The volts are those that calibrate saw: they are the same.
    """
    found, warnings = [], []
    for way in _WAYS:
        try:
            found.append(_measured(way, design, partition, ctx))
        except MemxcError as error:
            warnings.append(f"no baseline {way.name}: {error.faults[0].what}")
    return found, warnings


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
    found = estimate.estimate(design, changes, ctx)
    time = latency.measure(found.design, ctx.target.crossbar.stage_time_s)
    return Baseline(
        name=way.name,
        resources=resources.total(found.resources).bill(),
        power=Consumption.over(power.total(found.power), time.inference_s),
        latency=time,
    )


def _without(ctx: Context, keys: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What was set for single stages, without what the way of building settles."""
    return {
        stage: {key: value for key, value in own.items() if key not in keys}
        for stage, own in ctx.stage_set.items()
    }
