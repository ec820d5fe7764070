"""An estimate: what a calibrated design will be built of, without building it.

The stages are laid out, programmed, counted and dropped one at a time, and a large stage a few
blocks at a time. So it takes only the memory of the network's weights, and its numbers are those of
the circuit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from memxc.backends.cost import power, recorder, resources, settling, turns
from memxc.backends.cost.lane_loads import ArrayLoads
from memxc.backends.cost.operating import OperatingPoint
from memxc.backends.cost.power_rows import Power, StagePower
from memxc.backends.netlist.nets import Nets
from memxc.interfaces import Context, DesignPass
from memxc.ir.design import Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array, Lanes, Linear, Stage
from memxc.ir.windows import GROUND, Windows, ints
from memxc.mapping.stage_program import StageProgram
from memxc.passes import share
from memxc.passes.program import Program

#: Passes that work on each stage by itself, in the order in which they run.
STAGEWISE = ("schedule", "partition", "tile", "program", "share")
#: Called with the name of a pass and a design of the one stage that it changed; after `program`,
#: with a few crossbars at a time. It is not called for `share`, which changes no count.
Watch = Callable[[str, Design], None]


@dataclass(frozen=True, eq=False)
class Estimate:
    """The bill of materials of a design.

    `design` has the lines and places of its crossbars, but no conductances.
    loads: by stage; empty if the target lacks a key for settling times, and then `design` lacks the
    resistors of its amplifiers, too.
    """

    design: Design
    resources: tuple[resources.ResourceRow, ...]
    power: tuple[StagePower, ...]
    point: OperatingPoint | None
    loads: Mapping[str, ArrayLoads]


def possible(changes: Sequence[DesignPass]) -> bool:
    """Return whether the passes lay out and program each stage by itself, and do nothing else."""
    names = [change.name for change in changes]
    known = [name for name in STAGEWISE if name in names]
    return names == known and "program" in names


def estimate(
    design: Design,
    changes: Sequence[DesignPass],
    ctx: Context,
    watch: Watch = lambda name, part: None,
) -> Estimate:
    """Return the bill of materials after `changes`, of a calibrated design.

    The changes must be `possible`. watch: see `Watch`.
    """
    for change in changes:
        if change.name == "schedule":  # it looks at what is before a stage
            design = change.run(design, ctx).ir
    bench = _StageEstimate(design, changes, ctx, watch)
    stages = [bench.stage(stage) for stage in design.stages]
    least_v = ctx.target.device.read_voltage_v
    point = bench.recorder.result(least_v) if bench.recorder else None
    whole = design.with_stages(stages)
    return Estimate(whole, tuple(bench.bills), tuple(bench.watts), point, bench.loads)


class _StageEstimate:
    """Where one stage after the other is built and counted."""

    def __init__(
        self, design: Design, changes: Sequence[DesignPass], ctx: Context, watch: Watch
    ) -> None:
        self._design, self._changes, self._ctx, self._watch = design, changes, ctx, watch
        self._nets, self._turns = Nets(design), turns.measure(design)
        self._shares = any(change.name == "share" for change in changes)
        self._numbers: dict[bytes, int] = {}
        self._blocks = 0
        self._defined: set[int] = set()
        self.bills: list[resources.ResourceRow] = []
        self.watts: list[StagePower] = []
        signed = ctx.target.amplifier.output_class == "A"
        narrow = recorder.possible(design)
        self.recorder = recorder.Recorder(design, ctx.samples, signed) if narrow else None
        self.loads: dict[str, ArrayLoads] = {}
        self._settles = narrow and not settling.lacking(ctx.target)

    def stage(self, stage: Stage) -> Stage:
        """Return the stage as it will be, and keep its bill and its watts as a row."""
        if isinstance(stage, Linear):
            return self._programmed(stage)
        if isinstance(stage, Lanes):
            bus = self._design.buses[stage.dst]
            bill = resources.lane_resources(stage, bus)
            bill += resources.turning(stage, bus.width, self._turns)
            self._row(resources.ResourceRow(stage.name, stage.circuit.name, bill), Power.of())
        if self.recorder:
            self.recorder.other(stage)
        return stage

    def _programmed(self, stage: Linear) -> Array:
        plan = self._plan(stage)
        array, bus = plan.bare(), self._design.buses[stage.dst]
        most = power.most_volts(self._design, array)
        mean_square = self._design.buses[stage.src].mean_square
        assert mean_square is not None, f"{stage.src} was not calibrated"
        meter = power.Meter(array, mean_square, bus.width, most)
        bill, hollow = resources.Resources.of(), []
        currents = self.recorder and self.recorder.start(array)
        loads = ArrayLoads(self._design, array, self._ctx.tile)
        for crossbar in plan.parts(self._blocks):
            self._blocks += crossbar.groups
            meter.add(crossbar)
            if currents:
                currents.add(crossbar)
            if self._settles:
                loads.add(crossbar)
            part = replace(self._design, stages=(replace(array, crossbars=(crossbar,)),))
            self._watch("program", part)
            bill += resources.placed_crossbars(
                array,
                share.numbered(crossbar, self._numbers) if self._shares else crossbar,
                self._ctx.target.device.g_min,
                self._ctx.tile,
                self._defined,
            )
            hollow.append(replace(crossbar, g=np.zeros((0, 0)), cell=ints(np.zeros((0, 0)))))
        counted = replace(array, crossbars=tuple(hollow))
        bill += resources.amplifiers(counted, bus, self._nets)
        bill += resources.turning(counted, bus.width, self._turns)
        self._row(resources.ResourceRow(stage.name, stage.cell, bill), meter.power())
        if self.recorder and currents:
            # Single precision halves the memory of a wide network.
            r_f, r_join = (r.astype(np.float32) for r in plan.resistors(currents.y_plus))
            array = replace(array, r_f=r_f, r_join=r_join)  # type: ignore[arg-type]
            self.recorder.end(array, currents)
        if self._settles:
            self.loads[stage.name] = loads
        return replace(array, crossbars=tuple(map(_hollow, hollow)))

    def _plan(self, stage: Linear) -> StageProgram:
        """Return how the stage is programmed, after the passes that lay it out."""
        for change in self._changes:
            if isinstance(change, Program):
                stage.verify({name: bus.width for name, bus in self._design.buses.items()})
                return change.plan(stage, self._design, self._ctx)
            part = change.run(replace(self._design, stages=(stage,)), self._ctx).ir
            self._watch(change.name, part)
            (stage,) = part.stages  # type: ignore[assignment]
        raise AssertionError("nothing is programmed")

    def _row(self, bill: resources.ResourceRow, drawn: Power) -> None:
        amplifier_w = self._ctx.target.amplifier.power_w
        static = Power.of(amplifier_w=bill.resources.opamps * amplifier_w)
        self.bills.append(bill)
        self.watts.append(StagePower.on(bill.stage, static + drawn))


def _hollow(crossbar: Crossbar) -> Crossbar:
    """Return a crossbar of which only the number of lines and places is left."""
    nothing = Windows(ints([GROUND]), crossbar.taps.origin, crossbar.taps.group, ints([]))
    return replace(crossbar, taps=nothing, sinks=nothing)
