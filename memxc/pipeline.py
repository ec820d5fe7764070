"""The compiler on one screen: load, graph passes, lower, design passes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from memxc import frontend, losses, passes, pruning, samples
from memxc.backends import estimate, kernels
from memxc.errors import Fault, MemxcError
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ir.stages import Linear, Schedule, Signed
from memxc.ladder import Ladder, Rung
from memxc.lower import lower
from memxc.passes import Context, DesignPass, GraphPass, Pass
from memxc.passes.record import PassRecord, macs
from memxc.stage_set import by_stage
from memxc.target import Target

#: Numbers that random samples hold in all, and how many samples these are at most and at least.
_NUMBERS, _MOST, _LEAST = 1 << 19, 16, 2
#: The passes that put kernels on crossbars.
_LAY_OUT = ("partition", "tile", "program")
_UNCHECKED = (
    "report only: nothing was held against onnxruntime, no baseline was measured, and no netlist, "
    "design or mapping is written; compile without --report-only before you build it"
)
#: Passes against wire resistance, in the order that each knows what it has to know of the others.
MITIGATIONS = ("both-ends", "reorder", "compensate")


@dataclass(frozen=True)
class Options:
    """What the user asked for. `target` has any --tile applied."""

    model: Path
    target: Target
    schedule: Schedule = "parallel"
    partition: str = "packed"
    signed: Signed = "differential"
    batchnorm: str = "fold"
    mitigate: tuple[str, ...] = ()
    separate: float | None = None
    prune: tuple[str, ...] = ()
    zeros: passes.Zeros | None = None
    passes: str | None = None
    samples: Path | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    input_range: tuple[float, float] = (0.0, 1.0)
    stage_set: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Compiled:
    """A programmed design and how it came about. squares: as Context's.

    unlaid: the design as it stood before it was laid out; context: what its passes could look at.
    bill: where only a report was asked for and `design` has no conductances, what it would take.
    """

    options: Options
    target: Target
    graph: Graph
    design: Design
    unlaid: Design
    context: Context
    samples: Mapping[str, NDArray[Any]]
    squares: Mapping[str, NDArray[Any]]
    labels: NDArray[Any] | None
    records: tuple[PassRecord, ...]
    rungs: tuple[Rung, ...]
    loss: losses.Loss | None
    warnings: tuple[str, ...]
    macs: int
    per_kernel: kernels.Kernels
    report_only: bool = False
    bill: estimate.Estimate | None = None


def compile_model(
    options: Options,
    progress: Callable[[str], None] = lambda text: None,
    check: bool = True,
    report_only: bool = False,
) -> Compiled:
    """ONNX file -> programmed design. Raises MemxcError with all faults of the user's input.

    check: hold each pass against the one before it; the design is the same without.
    report_only: for what a report needs, unchecked and in little memory.
    """
    progress("reading the model")
    loaded = frontend.load(options.model, options.shapes)
    given, warnings = _samples(options, loaded)
    pipeline = _pipeline(options)
    ctx = _context(options, given)
    ladder = Ladder(options.model, {} if report_only or not check else ctx.samples, progress)
    graph, multiplications, per_kernel = loaded, 0, kernels.measure(ladder.design(loaded))
    for graph_pass in (p for p in pipeline if isinstance(p, GraphPass)):
        # Those of the network as it was given, whatever is pruned later.
        if not graph_pass.exact:
            multiplications = multiplications or macs(ladder.design(graph))
        graph = ladder.graph_pass(graph_pass, graph, ctx)
    progress("lowering")
    design = ladder.design(graph)
    design.verify()
    _check_stages(design, ctx)
    if not ladder.records:
        ladder.lowered(design)
    multiplications = multiplications or macs(design)
    unlaid, bill = None, None
    changes = [p for p in pipeline if isinstance(p, DesignPass)]
    while changes and bill is None:
        if changes[0].name in _LAY_OUT:
            unlaid = unlaid or design
        if report_only and changes[0].name in _LAY_OUT and estimate.possible(changes):
            bill = ladder.estimate(changes, design, ctx)
            design = bill.design
        else:
            design = ladder.design_pass(changes.pop(0), design, ctx)
    _check_fits(design, ctx)
    return Compiled(
        options=options,
        target=options.target,
        graph=loaded,
        design=design,
        unlaid=unlaid or design,
        context=ctx,
        samples=ctx.samples,
        squares=ctx.squares,
        labels=None if given.labels is None else given.labels[: samples.MOST],
        records=tuple(ladder.records),
        rungs=tuple(ladder.rungs),
        loss=ladder.loss(),
        warnings=(*warnings, *ladder.warnings, *ctx.warnings, *([_UNCHECKED] * report_only)),
        macs=multiplications,
        per_kernel=per_kernel,
        report_only=report_only,
        bill=bill,
    )


def steps(options: Options) -> Iterator[tuple[str, Graph | Design]]:
    """The network after each pass by its name, nothing measured; "load" and "lower" among them."""
    graph = frontend.load(options.model, options.shapes)
    yield "load", graph
    pipeline = _pipeline(options)
    given, _ = _samples(options, graph)
    ctx = _context(options, given)
    for graph_pass in (p for p in pipeline if isinstance(p, GraphPass)):
        graph = graph_pass.run(graph, ctx)
        yield graph_pass.name, graph
    design = lower(graph)
    yield "lower", design
    for design_pass in (p for p in pipeline if isinstance(p, DesignPass)):
        design = design_pass.run(design, ctx)
        yield design_pass.name, design


def _pipeline(options: Options) -> list[Pass]:
    """The passes asked for, in an order that can work."""
    if options.passes is None:
        return default_passes(options)
    pipeline = passes.parse(options.passes)
    names = [change.name for change in pipeline]
    kinds = [isinstance(change, GraphPass) for change in pipeline]
    where, faults = f"--passes {options.passes}", []
    if kinds != sorted(kinds, reverse=True):
        faults.append(Fault("usage", where, "passes over the graph come before all others"))
    for name in ("calibrate", "program"):
        if names.count(name) != 1:
            faults.append(Fault("usage", where, f"a circuit needs {name} exactly once"))
    if not faults and names.index("program") < names.index("calibrate"):
        faults.append(Fault("usage", where, "program comes after calibrate"))
    if not faults:
        faults = [Fault("usage", where, what) for what in _misplaced(pipeline)]
    if options.prune or options.separate is not None:
        hint = "put prune-ckf, prune-lines or separate among the passes"
        faults.append(Fault("usage", where, "leaves no place for --prune and --separate", hint))
    if faults:
        raise MemxcError(faults)
    return pipeline


def _misplaced(pipeline: Sequence[Pass]) -> Iterator[str]:
    """What is wrong with the order of passes around program."""
    at = [change.name for change in pipeline].index("program")
    for change in pipeline[:at]:
        if change.programmed:
            yield f"{change.name} comes after program"
    for change in pipeline[at + 1 :]:
        if not change.programmed:
            yield f"{change.name} has no work after program"
    later = pipeline[at].options()["levels"] == "later"
    if later and "compensate" not in [change.name for change in pipeline]:
        yield "program{levels=later} leaves the levels to compensate, which is not there"


def default_passes(options: Options) -> list[Pass]:
    """The pipeline that the options of the command line stand for."""
    known = passes.available()
    asked = [name for name in MITIGATIONS if name in options.mitigate]
    # Where zeros are no devices, what holds nothing but zeros is not built.
    lean = [known["drop-lines"]()] if _zeros(options) == "absent" else []
    return [
        *_graph_passes(options),
        known["calibrate"](),
        known["schedule"](mode=options.schedule),  # type: ignore[call-arg]
        known["partition"](policy=options.partition),  # type: ignore[call-arg]
        *lean,
        known["tile"](),
        *lean,
        known["program"](levels="later" if "compensate" in asked else "now"),  # type: ignore[call-arg]
        *(known[name]() for name in (*asked, "share")),
        *(known[name]() for name in ("convert",) if options.target.converter.needed),
    ]


def _graph_passes(options: Options) -> Iterator[Pass]:
    """Normalisations folded, kernels separated, then pruned: a fit would fill zeros again."""
    known, prunes = passes.available(), pruning.asked(options.prune)
    yield from (change for change in prunes if pruning.before_folding(change))
    if options.batchnorm == "fold":
        yield known["fold-batchnorm"]()
    if options.separate is not None:
        yield known["separate"](ratio=options.separate, partition=options.partition)  # type: ignore[call-arg]
    yield from (change for change in prunes if not pruning.before_folding(change))
    # Parked zeros go onto the circuit as it is, but for lines that were pruned whole.
    if _zeros(options) == "absent" or any(change.name == "prune-lines" for change in prunes):
        yield known["drop-dead-channels"]()


def _zeros(options: Options) -> passes.Zeros:
    return options.zeros or ("absent" if options.prune else "parked")


def _samples(options: Options, graph: Graph) -> tuple[samples.Samples, tuple[str, ...]]:
    shapes = {name: graph.shapes[name] for name in graph.inputs}
    path = _samples_file(options)
    if path is not None:
        return samples.read(path, shapes, losses.MOST, graph.kinds), ()
    drawn = samples.seeded(shapes, *options.input_range, options.seed, _MOST, graph.kinds)
    given = samples.Samples(samples.few(drawn.inputs, _NUMBERS, _MOST, _LEAST), None)
    ranges = (samples.extent(graph.kinds.get(name, ""), *options.input_range) for name in shapes)
    words = " or ".join(dict.fromkeys(f"between {low:g} and {high:g}" for low, high in ranges))
    warning = (
        f"no samples: calibrated on random inputs {words} with a margin of 2; "
        "give real ones with --samples"
    )
    return given, (warning,)


def _samples_file(options: Options) -> Path | None:
    """The samples that were given, else those beside the model; None where there are none."""
    beside = options.model.with_suffix(".samples.npz")
    return options.samples or (beside if beside.is_file() else None)


def _context(options: Options, given: samples.Samples) -> Context:
    return Context(
        target=options.target,
        samples={name: values[: samples.MOST] for name, values in given.inputs.items()},
        assumed_inputs=_samples_file(options) is None,
        stage_set=by_stage(options.stage_set),
        signed=options.signed,
        zeros=_zeros(options),
        judged=given,
    )


def _check_fits(design: Design, ctx: Context) -> None:
    """A pipeline of the user's own may have left out tile."""
    faults = []
    for array in design.arrays:
        rows, columns = ctx.tile(array.name)
        words = max(crossbar.word_lines for crossbar in array.crossbars)
        bits = max(crossbar.bit_lines for crossbar in array.crossbars)
        if array.cell != "resistor" and (words > rows or bits > columns):
            what = f"takes {words} x {bits} lines, a unit crossbar has {rows} x {columns}"
            faults.append(Fault("does-not-fit", array.name, what, "put tile before program"))
    if faults:
        raise MemxcError(faults)


def _check_stages(design: Design, ctx: Context) -> None:
    stages = [stage.name for stage in design.stages if isinstance(stage, Linear)]
    faults = []
    for name in ctx.stage_set:
        if name not in stages:
            near = difflib.get_close_matches(name, stages, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"stages: {', '.join(stages[:20])}"
            faults.append(Fault("usage", f"--stage-set {name}", "no such crossbar stage", hint))
    if faults:
        raise MemxcError(faults)
