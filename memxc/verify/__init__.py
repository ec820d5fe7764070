"""verify: the netlist run in a SPICE engine, stage by stage, against the reference meaning.

Each stage is fed with the volts that SPICE itself found for the stage before, so a whole picture
goes through SPICE alone. `ok` means that every stage matches evaluate on the same volts; how far
the circuit is from the original network stands beside it, and only has to be a number.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc import engines, evaluate, jobs
from memxc.backends import power
from memxc.errors import fail
from memxc.ir.design import Design
from memxc.ir.stages import Array, Digital, Lanes, Stage, Wires
from memxc.target import Target
from memxc.verify import bench, library, simulate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StageResult:
    """One stage: what was simulated, and how far it is from evaluate on the same input volts.

    crossbar_w: watts of the crossbars, as the engine summed them over the devices and as the report
    computes them from the same volts; None unless asked for.
    """

    name: str
    decks: int
    devices: int
    seconds: float
    max_abs_error_v: float
    max_rel_error: float
    ok: bool
    crossbar_w: tuple[float, float] | None = None


@dataclass(frozen=True)
class Outputs:
    """The simulated network against onnxruntime.

    argmax_agree: samples whose largest number is at the same place in every output.
    """

    count: int
    max_abs_error: float
    max_rel_error: float
    argmax_agree: int


@dataclass(frozen=True)
class Verification:
    """What `memxc verify` found. `outputs` is None where the network was not run to its end."""

    engine: str
    version: str
    tolerance: float
    stages: tuple[StageResult, ...]
    outputs: Outputs | None
    ok: bool


@dataclass(frozen=True)
class Plan:
    """How to verify. tolerance: None for 1e-6 with ideal amplifiers, 1e-5 with others.

    power: have the engine sum the watts of the devices, too; only ngspice can.
    """

    engine: str = "auto"
    stage: str | None = None
    wire: bool = False
    power: bool = False
    tolerance: float | None = None
    jobs: int = 1


def verify(
    design: Design,
    target: Target,
    netlist: Path,
    inputs: Mapping[str, NDArray[Any]],
    reference: Mapping[str, NDArray[Any]] | None,
    plan: Plan,
    progress: Callable[[str], None] = lambda text: None,
) -> Verification:
    """Simulate the netlist of a design on inputs (samples, *shape) and compare.

    `reference` are onnxruntime's outputs for the same inputs. Raises MemxcError where the engine
    is missing or fails, or the stage does not exist.
    """
    _check_stage(design, plan.stage)
    engine = engines.get(plan.engine) if plan.engine != "auto" else _choose(design, plan)
    if plan.power and not engine.reports_power:
        raise fail(
            "usage",
            f"--power with {engine.name}",
            "does not report the power of a device",
            "take --engine ngspice",
        )
    tolerance = plan.tolerance or (1e-6 if math.isinf(target.amplifier.gain) else 1e-5)
    cells = library.read(netlist)
    buses = {name: evaluate.drive(design.buses[name], inputs[name]) for name in design.inputs}
    results = []
    with jobs.executor(plan.jobs) as pool:
        for stage in design.stages:
            sources = [buses[src] for src in stage.srcs]
            expected = evaluate.step(stage, design.buses, sources)
            buses[stage.dst] = expected
            if isinstance(stage, (Wires, Digital)) or plan.stage not in (None, stage.name):
                continue
            progress(stage.name)
            todo = simulate.Task(
                design,
                stage,
                sources,
                cells,
                target,
                plan.wire,
                plan.power and isinstance(stage, Array),
            )
            buses[stage.dst], result = _stage(todo, expected, engine.name, pool, tolerance)
            results.append(result)
    outputs = None
    if plan.stage is None and reference is not None:
        outputs = _outputs(design, buses, reference)
    return Verification(
        engine.name,
        engine.version() or "",
        tolerance,
        tuple(results),
        outputs,
        all(result.ok for result in results)
        and (outputs is None or math.isfinite(outputs.max_abs_error)),
    )


def _stage(
    todo: simulate.Task, expected: Floats, engine: str, pool: Executor | None, tolerance: float
) -> tuple[Floats, StageResult]:
    start = time.perf_counter()
    runs, scatter = simulate.runs(todo)
    if todo.wire and isinstance(todo.stage, Array):
        expected = simulate.wired_reference(todo)
    decks = list(bench.benches(runs, todo.stage_title, todo.definitions))
    answers = jobs.ordered(pool, _sweep, ((engine, d.deck, d.outputs, d.points) for d in decks))
    found, watts = scatter(decks, answers)
    apart = float(np.abs(found - expected).max(initial=0.0))
    size = float(np.abs(expected).max(initial=0.0))
    relative = apart / size if size else apart
    return found, StageResult(
        todo.stage.name,
        len(decks),
        todo.devices,
        time.perf_counter() - start,
        apart,
        relative,
        bool(np.isfinite(found).all()) and relative <= tolerance,
        (watts, _watts(todo)) if todo.power else None,
    )


def _watts(todo: simulate.Task) -> float:
    """Crossbar watts of a stage as the report computes them, from the simulated volts."""
    assert isinstance(todo.stage, Array)
    return power.crossbar_w(todo.stage, np.square(todo.sources[0]).mean(axis=0))


def _sweep(engine: str, deck: str, outputs: Sequence[str], points: int) -> Floats:
    return engines.get(engine).sweep(deck, outputs, points)


def _outputs(
    design: Design, buses: Mapping[str, Floats], reference: Mapping[str, NDArray[Any]]
) -> Outputs:
    apart, relative, agree = [0.0], [0.0], np.array(True)
    for name in design.outputs:
        value = evaluate.read(design.buses[name], buses[name])
        wanted = np.asarray(reference[name], dtype=np.float64).reshape(value.shape)
        error = float(np.abs(value - wanted).max(initial=0.0))
        size = float(np.abs(wanted).max(initial=0.0))
        apart.append(error)
        relative.append(error / size if size else error)
        flat, same = value.reshape(len(value), -1), wanted.reshape(len(value), -1)
        agree = agree & (flat.argmax(axis=1) == same.argmax(axis=1))
    # numpy's maximum keeps what is no number, Python's loses it.
    return Outputs(agree.size, float(np.max(apart)), float(np.max(relative)), int(agree.sum()))


def _check_stage(design: Design, name: str | None) -> None:
    names = [stage.name for stage in design.stages if _simulated(stage)]
    if name is not None and name not in names:
        raise fail(
            "usage",
            f"--stage {name}",
            "no such simulated stage",
            f"stages: {', '.join(names[:30])}",
        )


def _simulated(stage: Stage) -> bool:
    return isinstance(stage, (Array, Lanes))


def _choose(design: Design, plan: Plan) -> engines.Engine:
    return engines.get("ngspice") if plan.power else engines.choose(_largest(design), plan.wire)


def _largest(design: Design) -> int:
    return max(
        (crossbar.devices for stage in design.arrays for crossbar in stage.crossbars), default=0
    )


__all__ = ["Outputs", "Plan", "StageResult", "Verification", "verify"]
