"""Baselines: the same network built in older ways, so that a report can compare.

inverted inputs: kernels of (2M+1) x 1, in the layout that the user asked for.
paper rule: sub-images, one (channel, filter) pair a crossbar, always parallel.
im2col: a crossbar for every place of a kernel.

Each of them is laid out, programmed and counted like the network itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from memxc.backends.cost import estimate, latency, ledger, power, resources, settling, strength
from memxc.backends.cost.power_rows import Consumption
from memxc.backends.cost.rows import Baseline
from memxc.errors import MemxcError
from memxc.interfaces import Context, DesignPass
from memxc.ir.design import Design
from memxc.ir.stages import Schedule as Mode
from memxc.ir.stages import Signed
from memxc.mapping.layout import Policy
from memxc.passes.calibrate import Calibrate
from memxc.passes.partition import Partition
from memxc.passes.program import Program
from memxc.passes.schedule import Schedule
from memxc.passes.share import Share
from memxc.passes.tile import Tile


@dataclass(frozen=True)
class _Way:
    """A way to build a network: how signs are built, and the options that it fixes."""

    name: str
    signed: Signed
    partition: Policy | None = None
    schedule: Mode | None = None


_WAYS = (
    _Way("inverted inputs", "inverted-inputs"),
    _Way("paper rule", "differential", partition="paper", schedule="parallel"),
    _Way("im2col", "differential", partition="none"),
)


def measure(design: Design, partition: Policy, ctx: Context) -> tuple[list[Baseline], list[str]]:
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


def _measured(way: _Way, design: Design, partition: Policy, ctx: Context) -> Baseline:
    ctx = replace(ctx, signed=way.signed, stage_set=_without(ctx, way))
    if all(bus.scale is None for bus in design.buses.values()):
        design = Calibrate().run(design, ctx).ir
    changes: list[DesignPass] = [Partition(way.partition or partition), Tile(), Program(), Share()]
    if way.schedule is not None:
        changes.insert(0, Schedule(way.schedule))
    estimated = estimate.estimate(design, changes, ctx)
    times = {}
    if estimated.point is not None and not settling.lacking(ctx.target):
        times = settling.measure(estimated.design, estimated.loads, ctx.target)
    time = latency.measure(estimated.design, ctx.target, times)
    bill = resources.total(estimated.resources)
    sides, point = None, estimated.point
    if point is not None:
        outputs = strength.outputs(estimated.design, point, ctx.target.amplifier)
        opamps = bill.opamps + strength.added(outputs)
        sides = ledger.measure(estimated.design, point, ctx.target.amplifier, opamps)
    return Baseline(
        name=way.name,
        resources=bill.bill(),
        power=Consumption.over(power.total(estimated.power), sides, time),
        latency=time,
    )


def _without(ctx: Context, way: _Way) -> dict[str, dict[str, Any]]:
    """Return the options of single stages without those that the way of building fixes."""
    keys = [key for key in ("partition", "schedule") if getattr(way, key) is not None]
    return {
        stage: {key: value for key, value in options.items() if key not in keys}
        for stage, options in ctx.stage_set.items()
    }
