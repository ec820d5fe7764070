"""The compiler on one screen: load, graph passes, lower, design passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from memxc.backends.cost import estimate, kernels
from memxc.compiler import inputs, memory, order
from memxc.compiler.ladder import Ladder, Rung
from memxc.compiler.log import Log
from memxc.compiler.observers import Observer, Step
from memxc.compiler.options import MITIGATIONS, Options
from memxc.compiler.record import PassRecord
from memxc.compiler.scores import Scores
from memxc.compiler.sizes import LAY_OUT, CountedDesign, Milestones, Sizes, StageByStage
from memxc.errors import Fault, MemxcError, like
from memxc.evaluation import losses, samples
from memxc.frontend import Part
from memxc.interfaces import Context, DesignPass, GraphPass, Pass, Result
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ir.stages import Linear
from memxc.ops.lower import load, lower
from memxc.target import Target

_UNCHECKED = (
    "report only: nothing was held against onnxruntime, no baseline was measured, and no netlist, "
    "design or mapping is written; compile without --report-only before you build it"
)
_STRAIGHT = (
    "the watts, and the error of the outputs, are those of linear cells; this target's are not "
    "(device.iv = {}): memxc verify and memxc simulate have their volts"
)

__all__ = ["MITIGATIONS", "Compiled", "Options", "compile_model", "steps"]


@dataclass(frozen=True, eq=False)
class Compiled:
    """A programmed design and how it came about.

    model: the file that was compiled, or the part of it that the options ask for.
    unlaid: the design as it stood before it was laid out; context: what its passes could look at.
    bill: where only a report was asked for and `design` has no conductances, what it would take.
    reference: what the first rung is held against, None for nothing; fault: why it does not hold.
    """

    options: Options
    target: Target
    model: Path | Part
    graph: Graph
    design: Design
    unlaid: Design
    context: Context
    samples: Mapping[str, NDArray[Any]]
    labels: NDArray[Any] | None
    records: tuple[PassRecord, ...]
    reference: str | None
    fault: str | None
    rungs: tuple[Rung, ...]
    loss: losses.Loss | None
    warnings: tuple[str, ...]
    macs: int
    per_kernel: kernels.Kernels
    report_only: bool = False
    bill: estimate.Estimate | None = None

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
    """ONNX file -> programmed design. Raises MemxcError with all faults of the user's input.

    check: compare the network after each pass with the one before; the design is the same without.
    report_only: count what a report needs, unchecked and in little memory. large: False refuses a
    circuit that is larger than the model's file can account for.
    """
    progress("reading the model")
    model, shapes = inputs.model(options)
    loaded = load(model, shapes)
    progress("lowering")
    lowered = lower(loaded)  # its faults show before a sample is drawn or the model is run
    memory.check(loaded, lowered, str(options.model), report_only, large)
    known, warnings = inputs.read(options, loaded)
    pipeline = order.asked(options)
    ctx = inputs.context(options, known, any(change.fits for change in pipeline))
    ladder, scores = Ladder(model, ctx), Scores(ctx)
    milestones = Milestones()
    observers: list[Observer] = [milestones, Sizes(ctx.zeros)]
    if report_only:
        pipeline = _stage_by_stage(pipeline)
    elif check:
        observers += [ladder, scores]
    log = Log()
    log.start(observers, lowered)
    per_kernel = kernels.measure(lowered)
    steps = _steps(loaded, lowered, pipeline, ctx, progress)
    del lowered  # a large one
    for step in steps:
        log.see(observers, step, ctx)
    design = step.after
    _check_fits(design, ctx)
    return Compiled(
        options=options,
        target=options.target,
        model=model,
        graph=loaded,
        design=design,
        unlaid=milestones.unlaid or design,
        context=ctx,
        samples=ctx.samples,
        labels=None if known.labels is None else known.labels[: samples.MOST],
        records=tuple(log.records),
        reference=ladder.reference,
        fault=ladder.fault,
        rungs=tuple(ladder.rungs),
        loss=scores.loss(),
        warnings=(*warnings, *log.observed, *log.told, *_left_out(options, report_only)),
        macs=milestones.macs or 0,
        per_kernel=per_kernel,
        report_only=report_only,
        bill=step.result.bill if isinstance(step.result, CountedDesign) else None,
    )


def _steps(
    graph: Graph,
    design: Design,
    pipeline: Iterable[Pass],
    ctx: Context,
    progress: Callable[[str], None] = lambda text: None,
) -> Iterator[Step]:
    """Run passes over a graph, which lowers to `design`, and then over the design."""
    result: Result[Graph] | Result[Design]
    lowered = False
    for change in pipeline:
        if isinstance(change, GraphPass):
            progress(change.name)
            result = change.run(graph, ctx)
            result.ir.verify()
            before, design = design, design if _same(graph, result.ir) else lower(result.ir)
            graph = result.ir
        elif isinstance(change, DesignPass):
            if not lowered:
                _check_stages(design, ctx)
                lowered = True
            progress(change.name)
            before, result = design, change.run(design, ctx)
            design = result.ir
            if not isinstance(
                result, CountedDesign
            ):  # no circuit: its crossbars have no lines left
                design.verify()
        yield Step(change, before, design, result)


def _stage_by_stage(pipeline: Sequence[Pass]) -> list[Pass]:
    """The pipeline with the passes that lay out and program joined to one that counts them."""
    changes = [change for change in pipeline if isinstance(change, DesignPass)]
    for index, change in enumerate(changes):
        if change.name in LAY_OUT and estimate.possible(changes[index:]):
            counted = StageByStage(tuple(changes[index:]))
            return [*pipeline[: len(pipeline) - len(changes) + index], counted]
    return list(pipeline)


def _left_out(options: Options, report_only: bool) -> Iterator[str]:
    """What the figures of this compilation do not know of."""
    if options.target.device.iv != "linear":
        yield _STRAIGHT.format(options.target.device.iv)
    if report_only:
        yield _UNCHECKED


def steps(options: Options) -> Iterator[tuple[str, Graph | Design]]:
    """The network after each pass by its name, nothing measured; "load" and "lower" among them."""
    graph = load(*inputs.model(options))
    yield "load", graph
    pipeline = order.asked(options)
    known, _ = inputs.read(options, graph)
    ctx = inputs.context(options, known, any(change.fits for change in pipeline))
    lowered = False
    for step in _steps(graph, lower(graph), pipeline, ctx):
        if isinstance(step.change, DesignPass) and not lowered:
            yield "lower", step.before
            lowered = True
        yield step.change.name, step.result.ir


def _check_fits(design: Design, ctx: Context) -> None:
    """A pipeline of the user's own may have left out tile."""
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
    linear = (stage for stage in design.stages if isinstance(stage, Linear))
    stages = {stage.name: stage.cell for stage in linear if stage.programmable}
    faults = []
    for name, settings in ctx.stage_set.items():
        if stages.get(name) == "batchnorm" and {*settings} != {"schedule"}:
            what = "a batch normalisation stands beside the crossbars: only schedule is its own"
            faults.append(Fault("usage", f"--stage-set {name}", what))
        elif name not in stages:
            hint = like(name, stages) or f"stages: {', '.join([*stages][:20])}"
            faults.append(Fault("usage", f"--stage-set {name}", "no such crossbar stage", hint))
    if faults:
        raise MemxcError(faults)


def _same(one: Graph, other: Graph) -> bool:
    """Whether a pass found nothing to do."""
    held = one.weights.keys() == other.weights.keys() and all(
        one.weights[name] is other.weights[name] for name in one.weights
    )
    return held and one.nodes == other.nodes and one.outputs == other.outputs
