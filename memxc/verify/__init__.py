"""verify: run the netlist in a SPICE engine, stage by stage, and compare with the design.

Each stage gets the volts that SPICE itself computed for the stage before, so a picture goes through
SPICE alone. `ok` means that every stage matches evaluate on the same volts, and that every cell
around the crossbars, simulated alone, is right over its whole range. The distance of the circuit
from the original network is reported, and only has to be a number.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc import engines, jobs, netlist_reader
from memxc.backends.cost import power
from memxc.errors import fail, why
from memxc.evaluation import evaluate
from memxc.ir.design import Design
from memxc.ir.stages import Array, Lanes, Stage
from memxc.netlist_reader import Netlist
from memxc.physics.network import nodal
from memxc.physics.network.effective import effective
from memxc.simulate import walk
from memxc.target import Target
from memxc.verify import alone
from memxc.verify.bench import BenchDeck
from memxc.verify.document import (
    CellResult,
    CrossbarWatts,
    LimiterResult,
    Outputs,
    StageResult,
    TransientResult,
)
from memxc.verify.library import Library
from memxc.verify.outputs import compare
from memxc.verify.plan import Plan
from memxc.verify.simulate import Sweep, simulate
from memxc.verify.size import relative
from memxc.verify.task import Task

Floats = NDArray[np.float64]

_NO_WIRES = [f"wire.{name}=0" for name in ("r_source", "r_word_line", "r_bit_line", "r_neuron")]


@dataclass(frozen=True)
class Verification:
    """The result of `memxc verify`. `outputs` is None if the network was not run to its end.

    circuits: the number of stages that can be simulated, also of those that were not. differences:
    in how many places the text of the netlist is not the design, None if it was not compared.
    changed: files that were changed since they were compiled. missing: why nothing was compared
    with onnxruntime, "" if it was. warnings: about the samples.
    """

    engine: str
    version: str
    tolerance: float
    stages: tuple[StageResult, ...]
    cells: tuple[CellResult, ...]
    limiters: tuple[LimiterResult, ...]
    outputs: Outputs | None
    circuits: int
    transients: tuple[TransientResult, ...] = ()
    differences: int | None = None
    changed: tuple[str, ...] = ()
    missing: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def finite(self) -> bool:
        """Whether the distance to the original network is a number, where it was measured."""
        return self.outputs is None or math.isfinite(self.outputs.max_abs_error)

    @property
    def ok(self) -> bool:
        """Whether every part is right, the text is the design, and the distance is a number."""
        parts: tuple[StageResult | CellResult | LimiterResult | TransientResult, ...]
        parts = (*self.stages, *self.cells, *self.limiters, *self.transients)
        return self.finite and not self.differences and all(part.ok for part in parts)


def verify(
    design: Design,
    target: Target,
    netlist: Path | Netlist,
    inputs: Mapping[str, NDArray[Any]],
    reference: Mapping[str, NDArray[Any]] | None,
    plan: Plan,
    progress: Callable[[str], None] = lambda text: None,
    labels: NDArray[Any] | None = None,
) -> Verification:
    """Simulate the netlist of a design on inputs (samples, *shape), and compare.

    netlist: its folder, or what was read there. reference: onnxruntime's outputs for the same
    inputs. labels: what the first of these outputs should say. Raises MemxcError if the netlist
    cannot be read, if the engine is missing or fails, or if the stage does not exist.
    """
    _check_stage(design, plan.stage)
    engine = _engine(plan)
    if plan.power:
        _check_power(engine, target)
    tolerance = plan.tolerance or (1e-6 if math.isinf(target.amplifier.gain) else 1e-5)
    cells = Library.of(
        netlist_reader.read_folder(netlist) if isinstance(netlist, Path) else netlist
    )
    buses = {name: evaluate.drive(design.buses[name], inputs[name]) for name in design.inputs}
    meant = dict(buses)
    results, tasks = list[StageResult](), list[Task]()
    with jobs.pool(plan.jobs) as pool:
        sweep = _sweeps(engine.name, pool)
        for stage in design.stages:
            sources = [buses[src] for src in stage.srcs]
            means = _meaning(design, stage, target, plan)
            expected = means(sources)
            buses[stage.dst] = expected
            meant[stage.dst] = means([meant[src] for src in stage.srcs])
            if not _simulated(stage) or plan.stage not in (None, stage.name):
                continue
            progress(stage.name)
            power_too = plan.power and isinstance(stage, Array)
            todo = Task(design, stage, sources, cells, target, plan.wire, power_too)
            buses[stage.dst], result = _stage(todo, expected, sweep, tolerance)
            results.append(result)
            tasks.append(todo)
        progress("each cell alone")
        single, limited = alone.check(tasks, sweep, tolerance)
    outputs = None
    if plan.stage is None and reference is not None:
        outputs = compare(design, buses, meant, reference, labels)
    return Verification(
        engine.name,
        engine.version() or "",
        tolerance,
        tuple(results),
        single,
        limited,
        outputs,
        sum(map(_simulated, design.stages)),
    )


def _meaning(
    design: Design, stage: Stage, target: Target, plan: Plan
) -> Callable[[Sequence[Floats]], Floats]:
    """Return a function from the volts on a stage's sources to the volts it should put on its bus.

    It is evaluate's; with wires it uses effective matrices, and for nonlinear cells Newton's
    method.
    """
    if isinstance(stage, Array) and target.device.iv != "linear":
        wired = target if plan.wire else target.with_set(*_NO_WIRES)
        return lambda sources: walk.step(design, stage, wired, sources)
    if plan.wire and isinstance(stage, Array):
        wires = nodal.WireResistance.of(target.wire)
        matrix = effective(design.with_stages([stage]), wires).stages[0]
        return lambda sources: evaluate.step(matrix, design.buses, sources)
    return lambda sources: evaluate.step(stage, design.buses, sources)


def _sweeps(engine: str, pool: jobs.Pool) -> Sweep:
    def sweep(decks: Sequence[BenchDeck]) -> Iterator[Floats]:
        work = ((engine, d.deck, d.outputs, d.points) for d in decks)
        try:
            yield from pool.ordered(engines.sweep, work)
        except jobs.Died as error:
            hint = "it may need more memory: try fewer --jobs, or a smaller --tile"
            what = "its process ended without an answer"
            raise fail("engine-failed", engine, what, hint) from error
        except OSError as error:
            what = f"its process cannot be started: {why(error)}"
            raise fail(
                "engine-failed", engine, what, "close other programs, or try fewer --jobs"
            ) from error

    return sweep


def _stage(
    todo: Task, expected: Floats, sweep: Sweep, tolerance: float
) -> tuple[Floats, StageResult]:
    start = time.perf_counter()
    simulated = simulate(todo, sweep)
    largest = float(np.abs(simulated.volts - expected).max(initial=0.0))
    error = relative(largest, expected)
    watts = None
    if todo.power and isinstance(todo.stage, Array):
        # From the simulated volts, as the report computes them.
        report = power.crossbar_w(todo.stage, np.square(todo.sources[0]).mean(axis=0))
        watts = CrossbarWatts(engine=simulated.watts, report=report)
    return simulated.volts, StageResult(
        name=todo.stage.name,
        decks=simulated.decks,
        devices=todo.devices,
        seconds=time.perf_counter() - start,
        max_abs_error_v=largest,
        max_rel_error=error,
        ok=bool(np.isfinite(simulated.volts).all()) and error <= tolerance,
        crossbar_w=watts,
    )


def _check_stage(design: Design, name: str | None) -> None:
    names = [stage.name for stage in design.stages if _simulated(stage)]
    if name is not None and name not in names:
        raise fail(
            "usage",
            f"--stage {name}",
            "no such simulated stage",
            f"stages: {', '.join(names[:30])}",
        )


def _check_power(engine: engines.Engine, target: Target) -> None:
    if not engine.reports_power:
        raise fail(
            "usage",
            f"--power with {engine.name}",
            "does not report the power of a device",
            "use --engine ngspice",
        )
    if target.device.iv != "linear":
        what = "the report's watts are for linear cells only"
        raise fail("usage", f"--power with device.iv = {target.device.iv}", what)


def _simulated(stage: Stage) -> bool:
    return isinstance(stage, (Array, Lanes))


def _engine(plan: Plan) -> engines.Engine:
    if plan.engine != "auto":
        return engines.get(plan.engine)
    ngspice = plan.power or plan.transient
    return engines.get("ngspice") if ngspice else engines.default()


__all__ = [
    "CellResult",
    "LimiterResult",
    "Outputs",
    "Plan",
    "StageResult",
    "Verification",
    "verify",
]
