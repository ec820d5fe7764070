"""The compiler on one screen: load, graph passes, lower, design passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from memxc.backends.cost import estimate, kernels
from memxc.compiler import inputs, memory, order
from memxc.compiler.ladder import Ladder, Rung
from memxc.compiler.options import MITIGATIONS, Options
from memxc.compiler.record import PassRecord, macs
from memxc.errors import Fault, MemxcError, like
from memxc.evaluation import losses, samples
from memxc.interfaces import Context, DesignPass, GraphPass
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ir.stages import Linear
from memxc.ops.lower import load, lower
from memxc.target import Target

#: The passes that put kernels on crossbars.
_LAY_OUT = ("partition", "tile", "program")
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
    """A programmed design and how it came about. squares: as Context's.

    unlaid: the design as it stood before it was laid out; context: what its passes could look at.
    bill: where only a report was asked for and `design` has no conductances, what it would take.
    reference: what the first rung is held against, None for nothing; fault: why it does not hold.
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

    check: hold each pass against the one before it; the design is the same without.
    report_only: for what a report needs, unchecked and in little memory. large: False refuses a
    circuit that is larger than the model's file can account for.
    """
    loaded, lowered = _read(options, progress)
    memory.check(loaded, lowered, str(options.model), report_only, large)
    known, warnings = inputs.read(options, loaded)
    pipeline = order.asked(options)
    ctx = inputs.context(options, known, any(change.fits for change in pipeline))
    ladder = Ladder(options.model, {} if report_only or not check else ctx.samples, progress)
    ladder.known = loaded, lowered
    graph, multiplications, per_kernel = loaded, 0, kernels.measure(lowered)
    del lowered  # a large one; the ladder lets go of it when a pass has changed the graph
    for graph_pass in (p for p in pipeline if isinstance(p, GraphPass)):
        # Those of the network as it was given, whatever is pruned later.
        if not graph_pass.exact:
            multiplications = multiplications or macs(ladder.design(graph))
        graph = ladder.graph_pass(graph_pass, graph, ctx)
    design = ladder.design(graph)
    _check_stages(design, ctx)
    if not ladder.records:
        ladder.lowered(design)
    multiplications = multiplications or macs(design)
    changes = [p for p in pipeline if isinstance(p, DesignPass)]
    design, unlaid, bill = _built(ladder, changes, design, ctx, report_only)
    _check_fits(design, ctx)
    return Compiled(
        options=options,
        target=options.target,
        graph=loaded,
        design=design,
        unlaid=unlaid,
        context=ctx,
        samples=ctx.samples,
        squares=ctx.squares,
        labels=None if known.labels is None else known.labels[: samples.MOST],
        records=tuple(ladder.records),
        reference=ladder.reference,
        fault=ladder.fault,
        rungs=tuple(ladder.rungs),
        loss=ladder.loss(),
        warnings=(*warnings, *ladder.warnings, *ctx.warnings, *_left_out(options, report_only)),
        macs=multiplications,
        per_kernel=per_kernel,
        report_only=report_only,
        bill=bill,
    )


def _read(options: Options, progress: Callable[[str], None]) -> tuple[Graph, Design]:
    """The network, and lowered: its faults show before a sample is drawn or the model is run."""
    progress("reading the model")
    loaded = load(options.model, options.shapes)
    progress("lowering")
    return loaded, lower(loaded)


def _built(
    ladder: Ladder, changes: list[DesignPass], design: Design, ctx: Context, report_only: bool
) -> tuple[Design, Design, estimate.Estimate | None]:
    """The design after passes, before those that lay it out, and its bill instead where it will do.

    report_only: no conductances are wanted, if it can be.
    """
    unlaid, bill = None, None
    while changes and bill is None:
        if changes[0].name in _LAY_OUT:
            unlaid = unlaid or design
        if report_only and changes[0].name in _LAY_OUT and estimate.possible(changes):
            bill = ladder.estimate(changes, design, ctx)
            design = bill.design
        else:
            design = ladder.design_pass(changes.pop(0), design, ctx)
    return design, unlaid or design, bill


def _left_out(options: Options, report_only: bool) -> Iterator[str]:
    """What the figures of this compilation do not know of."""
    if options.target.device.iv != "linear":
        yield _STRAIGHT.format(options.target.device.iv)
    if report_only:
        yield _UNCHECKED


def steps(options: Options) -> Iterator[tuple[str, Graph | Design]]:
    """The network after each pass by its name, nothing measured; "load" and "lower" among them."""
    graph = load(options.model, options.shapes)
    yield "load", graph
    pipeline = order.asked(options)
    known, _ = inputs.read(options, graph)
    ctx = inputs.context(options, known, any(change.fits for change in pipeline))
    for graph_pass in (p for p in pipeline if isinstance(p, GraphPass)):
        graph = graph_pass.run(graph, ctx)
        yield graph_pass.name, graph
    design = lower(graph)
    yield "lower", design
    for design_pass in (p for p in pipeline if isinstance(p, DesignPass)):
        design = design_pass.run(design, ctx)
        yield design_pass.name, design


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
    linear = (stage for stage in design.stages if isinstance(stage, Linear))
    stages = {stage.name: stage.cell for stage in linear if stage.cell != "resistor"}
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
