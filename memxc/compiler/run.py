"""The compiler on one screen: read the model, lower it, run the passes, observe each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from memxc.backends.cost import estimate, kernels
from memxc.compiler import inputs, memory, order, pruning
from memxc.compiler.ladder import Ladder, StepDistance
from memxc.compiler.log import Log
from memxc.compiler.observers import Observer, PassRun
from memxc.compiler.options import MITIGATIONS, Options
from memxc.compiler.record import PassRecord
from memxc.compiler.scores import Scores
from memxc.compiler.sizes import LAY_OUT, CountedDesign, Milestones, Sizes, StageByStage
from memxc.errors import Fault, MemxcError, fail, like, printable
from memxc.evaluation import losses, samples
from memxc.frontend import ModelPart
from memxc.interfaces import Context, DesignPass, GraphPass, Pass, Result
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ir.stages import Lanes, Linear
from memxc.ops.lower import load_graph, lower
from memxc.passes.fuse_lanes import FuseLanes
from memxc.target import Target

_UNCHECKED = (
    "report only: nothing was compared with onnxruntime, no baseline was measured, and no netlist, "
    "design or mapping is written; compile without --report-only before you build the circuit"
)
_STRAIGHT = (
    "the watts, and the error of the outputs, are calculated with linear devices; this target has "
    "others (device.iv = {}): memxc verify and memxc simulate calculate with these"
)

_OWN_CELLS = (
    "cells of your own are in the netlist: the figures of this report are those of memxc's cells; "
    "memxc verify simulates yours"
)

__all__ = ["MITIGATIONS", "Compiled", "Options", "compile_model", "steps"]


@dataclass(frozen=True, eq=False)
class Compiled:
    """A programmed design, and how it came about.

    model: the file that was compiled, or the part of it that the options ask for.
    unlaid: the design before it was laid out.
    context: what its passes could look at.
    estimated: the figures of a design that was only counted, for --report-only. `design` has no
    conductances then.
    reference: the name of what the first rung compares with, or None.
    fault: why it is not known whether the network computes what the model computes, or None.
    """

    options: Options
    target: Target
    model: Path | ModelPart
    graph: Graph
    design: Design
    unlaid: Design
    context: Context
    samples: Mapping[str, NDArray[Any]]
    labels: NDArray[Any] | None
    records: tuple[PassRecord, ...]
    reference: str | None
    fault: str | None
    rungs: tuple[StepDistance, ...]
    loss: losses.Loss | None
    warnings: tuple[str, ...]
    macs: int
    per_kernel: kernels.Kernels
    report_only: bool = False
    estimated: estimate.Estimate | None = None

    def __repr__(self) -> str:
        stages = f"{len(self.design.stages)} stages"
        return f"<Compiled {self.design.name!r} for {self.target.name!r}: {stages}>"


def compile_model(
    options: Options,
    progress: Callable[[str], None] = lambda text: None,
    check: bool = True,
    report_only: bool = False,
    large: bool = True,
) -> Compiled:
    """Compile an ONNX file to a programmed design.

    check: compare the network after each pass with the network before it. The design is the same
    without.
    report_only: count what a report needs, in little memory and without the checks.
    large: if False, refuse a circuit that is much larger than its model's file.

    Raises MemxcError with all faults of the user's input.
    """
    pipeline = order.asked(options)
    model, loaded, lowered = _read(options, progress, report_only)
    memory.check(loaded, lowered, str(options.model), report_only, large)
    known, warnings = inputs.read_samples(options, loaded)
    ctx = inputs.context(options, known, any(change.fits for change in pipeline))
    ladder, scores = Ladder(model, ctx), Scores(ctx)
    milestones = Milestones()
    observers: list[Observer] = [milestones, Sizes(ctx)]
    if report_only:
        pipeline = _stage_by_stage(pipeline)
    elif check:
        observers += [ladder, scores]
    log = Log()
    log.start(observers, lowered)
    per_kernel = kernels.measure(lowered)
    steps = _steps(loaded, lowered, pipeline, ctx, options, progress)
    del lowered  # it may be large
    for step in steps:
        log.see(observers, step, ctx)
        design = step.after
        estimated = step.result.estimated if isinstance(step.result, CountedDesign) else None
        del step  # it holds the network before the pass
    _check_fits(design, ctx)
    return Compiled(
        options=options,
        target=options.target,
        model=model,
        graph=loaded,
        design=design,
        unlaid=milestones.unlaid,
        context=ctx,
        samples=ctx.samples,
        labels=None if known.labels is None else known.labels[: samples.MOST],
        records=tuple(log.records),
        reference=ladder.reference,
        fault=ladder.fault,
        rungs=tuple(ladder.rungs),
        loss=scores.loss(),
        warnings=(*warnings, *log.observed, *log.told, *_left_out(options, report_only)),
        macs=milestones.macs,
        per_kernel=per_kernel,
        report_only=report_only,
        estimated=estimated,
    )


def _read(
    options: Options, progress: Callable[[str], None], report_only: bool
) -> tuple[Path | ModelPart, Graph, Design]:
    """The model to compare with, and the network: its faults show before anything is drawn."""
    if report_only and options.cells is not None:
        raise fail("usage", "--cells", "--report-only writes no netlist that could hold cells")
    progress("reading the model")
    model, shapes = inputs.chosen_model(options)
    graph = load_graph(model, shapes, options.digital)
    progress("lowering")
    return model, graph, lower(graph)


def _steps(
    graph: Graph,
    design: Design,
    pipeline: Iterable[Pass],
    ctx: Context,
    options: Options,
    progress: Callable[[str], None] = lambda text: None,
) -> Iterator[PassRun]:
    """Run the passes over a graph, which lowers to `design`, and then over the design."""
    result: Result[Graph] | Result[Design]
    lowered = False
    for change in pipeline:
        if isinstance(change, GraphPass):
            progress(change.name)
            with pruning.as_asked(change, options.prune, options.refit):
                result = change.run(graph, ctx)
            result.ir.verify()
            before, design = design, design if _same(graph, result.ir) else lower(result.ir)
            graph = result.ir
        elif isinstance(change, DesignPass):
            # Its stages are those whose names count from here on.
            if not lowered and not isinstance(change, FuseLanes):
                _check_stages(design, ctx)
                lowered = True
            progress(change.name)
            before, result = design, change.run(design, ctx)
            design = result.ir
            # A counted design is no circuit: its crossbars have no lines left.
            if not isinstance(result, CountedDesign):
                design.verify()
        yield PassRun(change, before, design, result)
        # The next pass runs without the network before this one: it may be large.
        del before, result


def _stage_by_stage(pipeline: Sequence[Pass]) -> list[Pass]:
    """Return the pipeline with its last passes joined to one that only counts, if possible."""
    changes = [change for change in pipeline if isinstance(change, DesignPass)]
    for index, change in enumerate(changes):
        if change.name in LAY_OUT and estimate.possible(changes[index:]):
            counted = StageByStage(tuple(changes[index:]))
            return [*pipeline[: len(pipeline) - len(changes) + index], counted]
    return list(pipeline)


def _left_out(options: Options, report_only: bool) -> Iterator[str]:
    """Yield warnings about what the figures of this compilation leave out."""
    if options.target.device.iv != "linear":
        yield _STRAIGHT.format(options.target.device.iv)
    if options.cells is not None:
        yield _OWN_CELLS
        unread = [printable(name, 40) for name in options.cells.unread[:3]]
        if unread:
            more = " ..." * (len(options.cells.unread) > 3)
            yield f"--cells: not read, for no .cir file includes it: {', '.join(unread)}{more}"
    if report_only:
        yield _UNCHECKED


def steps(options: Options) -> Iterator[tuple[str, Graph | Design]]:
    """Yield the name of each step and the network after it: "load", "lower", and each pass.

    Nothing is measured.
    """
    pipeline = order.asked(options)
    graph = load_graph(*inputs.chosen_model(options), options.digital)
    yield "load", graph
    known, _ = inputs.read_samples(options, graph)
    ctx = inputs.context(options, known, any(change.fits for change in pipeline))
    lowered = False
    for step in _steps(graph, lower(graph), pipeline, ctx, options):
        if isinstance(step.change, DesignPass) and not lowered:
            yield "lower", step.before
            lowered = True
        yield step.change.name, step.result.ir


def _check_fits(design: Design, ctx: Context) -> None:
    """Raise MemxcError if a crossbar is larger than its unit crossbar.

    A pipeline that the user wrote may have no `tile`.
    """
    faults = []
    for array in design.arrays:
        rows, columns = ctx.tile(array.name)
        words = max(crossbar.word_lines for crossbar in array.crossbars)
        bits = max(crossbar.bit_lines for crossbar in array.crossbars)
        if array.programmable and (words > rows or bits > columns):
            what = f"takes {words} x {bits} lines, a unit crossbar has {rows} x {columns}"
            faults.append(Fault("does-not-fit", array.name, what, "put tile before program"))
    if faults:
        raise MemxcError(faults)


def _check_stages(design: Design, ctx: Context) -> None:
    """Raise MemxcError if --stage-set names a stage without crossbars, or what is not its own."""
    linear = (stage for stage in design.stages if isinstance(stage, Linear))
    stages = {stage.name: str(stage.cell) for stage in linear if stage.programmable}
    stages |= {stage.name: "lanes" for stage in design.stages if isinstance(stage, Lanes)}
    faults = []
    for name, settings in ctx.stage_set.items():
        if stages.get(name) in ("batchnorm", "lanes") and {*settings} != {"schedule"}:
            kind = "lane function" if stages[name] == "lanes" else "batch normalisation"
            what = f"a {kind} stands beside the crossbars: only schedule is its own"
            faults.append(Fault("usage", f"--stage-set {name}", what))
        elif name not in stages:
            listed = ", ".join([*stages][:20]) or "the network has none"
            hint = like(name, stages) or f"stages: {listed}"
            faults.append(Fault("usage", f"--stage-set {name}", "no such stage", hint))
    if faults:
        raise MemxcError(faults)


def _same(one: Graph, other: Graph) -> bool:
    """Return whether a pass changed nothing."""
    same_weights = one.weights.keys() == other.weights.keys() and all(
        one.weights[name] is other.weights[name] for name in one.weights
    )
    return same_weights and one.nodes == other.nodes and one.outputs == other.outputs
