"""verify: the netlist run in a SPICE engine, stage by stage, against the reference meaning.

Each stage is fed with the volts that SPICE itself found for the stage before, so a whole picture
goes through SPICE alone. `ok` means that every stage matches evaluate on the same volts; how far
the circuit is from the original network stands beside it, and only has to be a number.
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

from memxc import engines, evaluate, jobs
from memxc.backends import power
from memxc.errors import MemxcError, fail
from memxc.ir.design import Design
from memxc.ir.stages import Array, Digital, Lanes, Stage, Wires
from memxc.metrics import METRICS, choose
from memxc.physics import nodal
from memxc.physics.effective import effective
from memxc.simulate import walk
from memxc.target import Target
from memxc.verify import library
from memxc.verify.bench import Bench
from memxc.verify.simulate import simulate
from memxc.verify.task import Task

Floats = NDArray[np.float64]

_NO_WIRES = [f"wire.{name}=0" for name in ("r_source", "r_word_line", "r_bit_line", "r_neuron")]


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
    """The simulated network against onnxruntime, and against evaluate from the inputs on.

    argmax_agree: samples whose largest number is at the same place in every output. score, and
    the original's: what the first output scores on the labels, by `metric`; None without labels.
    """

    count: int
    max_abs_error: float
    max_rel_error: float
    argmax_agree: int
    evaluate_max_rel_error: float
    evaluate_argmax_agree: int
    metric: str | None = None
    score: float | None = None
    original_score: float | None = None


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

    power: have the engine sum the watts of the devices, too; only ngspice can. jobs: processes that
    the engine runs in; 0 for this one, where no interrupt is heard while it solves.
    """

    engine: str = "auto"
    stage: str | None = None
    wire: bool = False
    power: bool = False
    tolerance: float | None = None
    jobs: int = 0


def verify(
    design: Design,
    target: Target,
    netlist: Path,
    inputs: Mapping[str, NDArray[Any]],
    reference: Mapping[str, NDArray[Any]] | None,
    plan: Plan,
    progress: Callable[[str], None] = lambda text: None,
    labels: NDArray[Any] | None = None,
) -> Verification:
    """Simulate the netlist of a design on inputs (samples, *shape) and compare.

    `reference` are onnxruntime's outputs for the same inputs, `labels` what the first of them is
    to say. Raises MemxcError where the engine
    is missing or fails, or the stage does not exist.
    """
    _check_stage(design, plan.stage)
    engine = _engine(plan)
    if plan.power and not engine.reports_power:
        raise fail(
            "usage",
            f"--power with {engine.name}",
            "does not report the power of a device",
            "take --engine ngspice",
        )
    if plan.power and target.device.iv != "linear":
        what = "the report's watts are those of linear cells"
        raise fail("usage", f"--power with device.iv = {target.device.iv}", what)
    tolerance = plan.tolerance or (1e-6 if math.isinf(target.amplifier.gain) else 1e-5)
    cells = library.read(netlist)
    buses = {name: evaluate.drive(design.buses[name], inputs[name]) for name in design.inputs}
    meant = dict(buses)
    results = []
    with jobs.pool(plan.jobs) as pool:
        for stage in design.stages:
            sources = [buses[src] for src in stage.srcs]
            means = _meaning(design, stage, target, plan)
            expected = means(sources)
            buses[stage.dst] = expected
            meant[stage.dst] = means([meant[src] for src in stage.srcs])
            if isinstance(stage, (Wires, Digital)) or plan.stage not in (None, stage.name):
                continue
            progress(stage.name)
            power_too = plan.power and isinstance(stage, Array)
            todo = Task(design, stage, sources, cells, target, plan.wire, power_too)
            buses[stage.dst], result = _stage(todo, expected, engine.name, pool, tolerance)
            results.append(result)
    outputs = None
    if plan.stage is None and reference is not None:
        outputs = _outputs(design, buses, meant, reference, labels)
    return Verification(
        engine.name,
        engine.version() or "",
        tolerance,
        tuple(results),
        outputs,
        all(result.ok for result in results)
        and (outputs is None or math.isfinite(outputs.max_abs_error)),
    )


def _meaning(
    design: Design, stage: Stage, target: Target, plan: Plan
) -> Callable[[Sequence[Floats]], Floats]:
    """What the stage is to put on its bus, from what is on its sources: as evaluate has it; with
    wires by its effective matrices; cells that are not linear by Newton's method."""
    if isinstance(stage, Array) and target.device.iv != "linear":
        wired = target if plan.wire else target.with_set(*_NO_WIRES)
        return lambda sources: walk.step(design, stage, wired, sources)
    if plan.wire and isinstance(stage, Array):
        wires = nodal.Wires.of(target.wire)
        matrix = effective(design.with_stages([stage]), wires).stages[0]
        return lambda sources: evaluate.step(matrix, design.buses, sources)
    return lambda sources: evaluate.step(stage, design.buses, sources)


def _stage(
    todo: Task, expected: Floats, engine: str, pool: jobs.Pool, tolerance: float
) -> tuple[Floats, StageResult]:
    start = time.perf_counter()

    def sweep(decks: Sequence[Bench]) -> Iterator[Floats]:
        return pool.ordered(engines.sweep, ((engine, d.deck, d.outputs, d.points) for d in decks))

    try:
        found = simulate(todo, sweep)
    except jobs.BrokenProcessPool as error:
        hint = "it may want more memory: fewer --jobs, or a smaller --tile"
        what = f"its process ended without an answer in {todo.stage.name}"
        raise fail("engine-failed", engine, what, hint) from error
    apart = float(np.abs(found.volts - expected).max(initial=0.0))
    size = float(np.abs(expected).max(initial=0.0))
    relative = apart / size if size else apart
    return found.volts, StageResult(
        todo.stage.name,
        found.decks,
        todo.devices,
        time.perf_counter() - start,
        apart,
        relative,
        bool(np.isfinite(found.volts).all()) and relative <= tolerance,
        (found.watts, _watts(todo)) if todo.power else None,
    )


def _watts(todo: Task) -> float:
    """Crossbar watts of a stage as the report computes them, from the simulated volts."""
    assert isinstance(todo.stage, Array)
    return power.crossbar_w(todo.stage, np.square(todo.sources[0]).mean(axis=0))


def _outputs(
    design: Design,
    buses: Mapping[str, Floats],
    meant: Mapping[str, Floats],
    reference: Mapping[str, NDArray[Any]],
    labels: NDArray[Any] | None,
) -> Outputs:
    found = {name: evaluate.read(design.buses[name], buses[name]) for name in design.outputs}
    own = {name: evaluate.read(design.buses[name], meant[name]) for name in design.outputs}
    count = len(next(iter(found.values())))
    return Outputs(
        count,
        *_distance(found, reference),
        *_distance(found, own)[1:],
        *_scores(found[design.outputs[0]], np.asarray(reference[design.outputs[0]]), labels),
    )


def _distance(
    found: Mapping[str, Floats], wanted: Mapping[str, NDArray[Any]]
) -> tuple[float, float, int]:
    """The largest absolute and relative error, and on how many samples every argmax agrees."""
    apart, relative, agree = [0.0], [0.0], np.array(True)
    for name, value in found.items():
        right = np.asarray(wanted[name], dtype=np.float64).reshape(value.shape)
        error = float(np.abs(value - right).max(initial=0.0))
        size = float(np.abs(right).max(initial=0.0))
        apart.append(error)
        relative.append(error / size if size else error)
        flat, same = value.reshape(len(value), -1), right.reshape(len(value), -1)
        agree = agree & (flat.argmax(axis=1) == same.argmax(axis=1))
    # numpy's maximum keeps what is no number, Python's loses it.
    return float(np.max(apart)), float(np.max(relative)), int(agree.sum())


def _scores(
    answers: Floats, original: NDArray[Any], labels: NDArray[Any] | None
) -> tuple[str, float, float] | tuple[()]:
    """The metric that the labels are for, the circuit's score and the original network's."""
    if labels is None:
        return ()
    try:
        metric = choose(None, answers.shape[1:], labels, "")
    except MemxcError:
        return ()  # labels of something else
    score = METRICS[metric]
    return metric, float(score(answers, labels).mean()), float(score(original, labels).mean())


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


def _engine(plan: Plan) -> engines.Engine:
    if plan.engine != "auto":
        return engines.get(plan.engine)
    return engines.get("ngspice") if plan.power else engines.default()


__all__ = ["Outputs", "Plan", "StageResult", "Verification", "verify"]
