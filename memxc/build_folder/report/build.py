"""Build the report of a compiled network: its costs, its losses, and those of other layouts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from memxc import __version__, units
from memxc.backends.cost import (
    area,
    baselines,
    erc,
    islands,
    lane_loads,
    latency,
    ledger,
    network,
    paper_rule,
    plugged,
    power,
    recorder,
    resources,
    settling,
    storage,
    strength,
    turns,
)
from memxc.backends.cost.power_rows import Consumption, Ledger, StagePower
from memxc.backends.cost.resources import ResourceRow
from memxc.backends.cost.rows import Baseline
from memxc.backends.cost.settling import StageTime
from memxc.backends.programming import cost as programming
from memxc.build_folder.report.document import (
    SCHEMA,
    DigitalRow,
    Fidelity,
    LatencySection,
    Model,
    Nothing,
    PassRow,
    PowerSection,
    Report,
    ResourceSection,
    Tensor,
)
from memxc.compiler.options import Settings
from memxc.compiler.record import PassRecord
from memxc.compiler.run import Compiled
from memxc.ir import stages
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.mapping.layout import Policy
from memxc.target import Target

_WIDE = (
    "the network is so wide that the currents of its op-amps, the electrical rules and the "
    "settling times are not counted; power is that of devices and idle op-amps"
)
_ISLANDS = (
    "parts of the network stay digital: their converters and their computation are not in the "
    "watts, seconds and square metres"
)
#: Types of shapes, axes and indices in ONNX. Constants of these types are not parameters.
_NO_PARAMETERS = ("int64", "bool")


def build(compiled: Compiled, sha256: str) -> Report:
    """The report of a compiled network. sha256: the SHA-256 of the model's file."""
    design, target = compiled.design, compiled.target
    ctx, policy = compiled.context, _policy(compiled)
    if compiled.estimated:
        bills, watts = compiled.estimated.resources, compiled.estimated.power
        point = compiled.estimated.point
    else:
        bills = resources.measure(design, target.device.g_min, ctx.tile)
        watts = power.measure(design, bills, target.amplifier.power_w)
        point = recorder.measure(design, compiled.samples, target)
    times, bill = _times(compiled), resources.total(bills)
    time = _latency(compiled, times)
    more, sides, rules, missing = 0.0, None, None, list[str]()
    if point is None:
        missing.append(_WIDE)
    else:
        outputs = strength.outputs(design, point, target.amplifier)
        more, rules = (
            strength.added(outputs),
            erc.measure(point, outputs, _held_s(design, times, target), target),
        )
        sides = ledger.measure(design, point, target.amplifier, bill.opamps + more)
    older = list[Baseline]()
    if not compiled.report_only:  # each is a compilation of the whole network
        older, unbuilt = baselines.measure(compiled.unlaid, policy, ctx)
        missing += unbuilt
    # With --report-only there may be no conductances, which a plug-in may need.
    costs = {} if compiled.estimated else plugged.measure(design, ctx)
    missing += _unmeasured(compiled)
    return Report(
        schema_=SCHEMA,
        memxc=__version__,
        model=_model(compiled, sha256),
        target=target,
        # Paths are left out, so that the same model in another folder gives the same bytes.
        options={f.name: getattr(compiled.options, f.name) for f in dataclasses.fields(Settings)},
        samples=len(next(iter(compiled.samples.values()))),
        fidelity=_fidelity(compiled),
        passes=tuple(map(_pass, compiled.records)),
        resources=ResourceSection(
            total=bill.bill(),
            stages=tuple(row.resources.stage_bill(row.stage, row.kind) for row in bills),
            per_kernel=compiled.per_kernel.bills(),
            layouts=paper_rule.layouts(compiled.unlaid, policy, ctx),
            sub_images=paper_rule.measure(compiled.unlaid, ctx),
        ),
        power=_power(watts, time, sides, bills),
        latency=time,
        area=area.measure(bills, target, more),
        erc=rules,
        storage=storage.measure(compiled.unlaid, bill.memristors, target.device),
        baselines=tuple(older),
        programming=None if compiled.report_only else programming.measure(design, target),
        costs=costs,
        islands=tuple(islands.measure(design, target)),
        network=tuple(network.measure(design)),
        digital=tuple(_digital(design)),
        warnings=(*compiled.warnings, *missing),
    )


def _unmeasured(compiled: Compiled) -> Iterator[str]:
    """Sentences about what the report leaves out."""
    if compiled.estimated:
        for name in plugged.available():
            yield f"the cost {name} is not measured with --report-only"
    if compiled.design.islands:
        yield _ISLANDS
    if compiled.report_only and compiled.target.programming is not None:
        yield "programming is not measured with --report-only"


def _fidelity(compiled: Compiled) -> Fidelity:
    """How much the circuit differs from the network. `passed` is None if it was not compared."""
    looked = compiled.reference is not None or compiled.fault is not None
    return Fidelity.model_validate(
        {
            "reference": compiled.reference,
            "passed": compiled.fault is None if looked else None,
            "rungs": [dataclasses.asdict(rung) for rung in compiled.rungs],
            "loss": compiled.loss,
        }
    )


def _model(compiled: Compiled, sha256: str) -> Model:
    graph = compiled.graph
    return Model(
        name=compiled.options.model.stem,
        sha256=sha256,
        opset=graph.opset,
        parameters=_parameters(graph),
        macs=compiled.macs,
        inputs=_tensors(graph, graph.inputs),
        outputs=_tensors(graph, graph.outputs),
    )


def _parameters(graph: Graph) -> int:
    """The number of values in constant tensors: weights, biases, statistics of normalisations.

    Each tensor counts once, and zeros count as well. In quantised networks integers of up to 32
    bits count. Tensors of int64 and bool do not count.
    """
    return sum(a.size for a in graph.weights.values() if a.dtype.name not in _NO_PARAMETERS)


def _tensors(graph: Graph, names: Iterable[str]) -> tuple[Tensor, ...]:
    return tuple(Tensor(name=name, shape=graph.shapes[name]) for name in names)


def _pass(record: PassRecord) -> PassRow:
    fields = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    return PassRow.model_validate({**fields, "loss": record.loss or Nothing()})


def _power(
    rows: Sequence[StagePower],
    time: LatencySection,
    sides: Ledger | None,
    bills: Sequence[ResourceRow],
) -> PowerSection:
    total = Consumption.over(power.total(rows), sides, time)
    return PowerSection(
        **dict(total),
        energy_gated_j=_gated(rows, time, total.total_w, bills),
        ledger=sides,
        assumptions=power.ASSUMPTIONS,
        stages=tuple(rows),
    )


def _gated(
    rows: Sequence[StagePower], time: LatencySection, whole_w: float, bills: Sequence[ResourceRow]
) -> float | None:
    """The joules of an inference if a stage is powered only while it settles."""
    settled = {row.stage: row.settling_s for row in time.stages}
    if time.clocked_s is None or None in settled.values():
        return None
    spent = sum(
        row.total_w * bill.resources.periods * (settled.get(row.stage) or 0.0)
        for row, bill in zip(rows, bills, strict=True)
    )
    return units.rounded(spent * whole_w / sum(row.total_w for row in rows), ledger.DIGITS)


def _times(compiled: Compiled) -> dict[str, StageTime]:
    """How each stage settles; empty if the target does not say what that needs."""
    design, target, estimated = compiled.design, compiled.target, compiled.estimated
    if not recorder.possible(design) or settling.lacking(target):
        return {}
    loads = estimated.loads if estimated else lane_loads.measure(design, compiled.context.tile)
    return settling.measure(design, loads, target)


def _held_s(design: Design, times: Mapping[str, StageTime], target: Target) -> dict[str, float]:
    """How long the stages that take turns hold their outputs."""
    guard = target.crossbar.guard or 1.0
    seconds = {name: guard * one.periods * one.seconds for name, one in times.items()}
    return turns.held_s(design, seconds)


def _latency(compiled: Compiled, times: Mapping[str, StageTime]) -> LatencySection:
    design, target = compiled.design, compiled.target
    time = latency.measure(design, target, times)
    return LatencySection(**dict(time), stages=latency.stages(design, target, times))


def _policy(compiled: Compiled) -> Policy:
    """The policy of partition; "none" (im2col) if --passes has no partition."""
    policies = [r.options["policy"] for r in compiled.records if r.name == "partition"]
    return cast(Policy, policies[0]) if policies else "none"


def _digital(design: Design) -> Iterator[DigitalRow]:
    for stage in design.stages:
        if isinstance(stage, stages.Digital) and stage.subgraph is None:
            yield DigitalRow(stage=stage.name, function=stage.function, options=dict(stage.options))
