"""The verdicts at the head of the page, the accuracies, and the ladder of errors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from memxc import units
from memxc.build_folder.page.results import Results
from memxc.build_folder.report.document import Report

if TYPE_CHECKING:
    from memxc.build_folder.kept import KeptResult

State = Literal["ok", "failed", "none"]
#: The ladder's axis: errors below this are drawn at its left end.
_LEAST = 1e-12
METRICS = {"top1": "accuracy", "dice": "Dice", "iou": "IoU", "error": "error of the outputs"}


@dataclass(frozen=True)
class Verdict:
    """One check: what was compared with what, the result, and how to run it if nobody did."""

    what: str
    against: str
    result: str
    state: State


@dataclass(frozen=True)
class Score:
    """The score of the network in one form; `value` is "" if nobody computed it."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class ErrorStep:
    """A step of the ladder: `width` is its place on a logarithmic axis, 0 to 1."""

    start: str
    end: str
    kind: str
    error: float
    width: float


def verdicts(report: Report, results: Results) -> Iterator[Verdict]:
    """Yield the checks in the order in which a circuit comes about."""
    yield _first(report)
    yield _passes(report)
    yield from map(_verified, results.verified)
    if not results.verified:
        yield Verdict("netlist in SPICE", "the design", "not run: memxc verify DIR", "none")
    yield from map(_compared, results.compared)
    if not results.compared:
        yield Verdict("text of the netlist", "the design", "not run: memxc lvs DIR", "none")
    yield _rules(report)


def _first(report: Report) -> Verdict:
    passed, rungs = report.fidelity.passed, report.fidelity.rungs
    against = report.fidelity.reference or "the original network"
    if not rungs:
        return Verdict(
            "lowered network", against, "not compared", "none" if passed is None else "failed"
        )
    result = f"largest relative error {units.small(rungs[0].max_rel_error)}"
    return Verdict("lowered network", against, result, "ok" if passed else "failed")


def _passes(report: Report) -> Verdict:
    exact = {row.name for row in report.passes if row.exact}
    errors = [r.max_rel_error for r in report.fidelity.rungs[1:] if r.end in exact]
    what, against = "design after each exact pass", "the design before it"
    if not errors:
        return Verdict(what, against, "not compared", "none")
    worst = max(errors, key=lambda error: (math.isnan(error), error))
    passes = f"{len(errors)} pass{'es' * (len(errors) > 1)}"
    return Verdict(what, against, f"{passes}, largest relative error {units.small(worst)}",
                   "ok" if worst <= 1e-9 else "failed")  # fmt: skip


def _verified(result: KeptResult) -> Verdict:
    found = result.verified
    assert found is not None
    errors = [stage.max_rel_error for stage in found.stages]
    worst = units.small(max(errors, default=0.0))
    text = f"{units.some(len(errors), 'stage')}, largest relative error {worst}"
    if found.outputs is not None:
        agree = f"{found.outputs.argmax_agree} of {found.outputs.count}"
        text += f"; argmax agrees with onnxruntime on {agree} samples"
    what = f"netlist in {found.engine.name} {found.engine.version}"
    return Verdict(f"{what} ({result.words})" if result.words else what, "the design", text,
                   "ok" if found.ok else "failed")  # fmt: skip


def _compared(result: KeptResult) -> Verdict:
    found = result.compared
    assert found is not None
    text = f"{found.devices:,} devices, {found.connections:,} connections, {found.rows:,} rows"
    text += f"; {found.differences:,} differ" if found.differences else "; nothing differs"
    if found.user_cells:
        text += f"; {units.some(found.user_cells, 'cell')} of your own not compared"
    return Verdict("text of the netlist (lvs)", "the design", text,
                   "failed" if found.differences else "ok")  # fmt: skip


def _rules(report: Report) -> Verdict:
    what, against = "electrical rules", "limits of the target"
    if report.erc is None:
        return Verdict(what, against, "not checked", "none")
    broken = len(report.erc.violations)
    missing = len(report.erc.missing)
    text = (
        f"{units.some(broken, 'rule')} broken" if broken else "no rule that was checked is broken"
    )
    if missing:
        text += f"; {units.some(missing, 'rule')} not checked"
    return Verdict(what, against, text, "failed" if broken else "ok")


def scores(report: Report, results: Results) -> list[Score]:
    """Return the score of the network itself, of it with wires and devices, and with ideal wires.

    The first two are those of `simulate`, over the same samples. Without it, the first is that of
    the compilation, and the second is open.
    """
    loss, found = report.fidelity.loss, list[Score]()
    for result in _as_compiled(results):
        run = result.simulated
        assert run is not None
        name, over = METRICS[run.metric], units.some(run.count, "sample")
        if run.original is not None:
            text = _score(run.metric, run.original)
            found.append(Score(f"{name}, the network itself", text, over))
        row = run.rows[0]
        spread = f" ± {_score(run.metric, row.spread)}" if len(row.scores) > 1 else ""
        note = f"{over}, {units.some(len(row.scores), 'draw')}; memxc simulate"
        text = f"{_score(run.metric, row.mean)}{spread}"
        found.append(Score(f"{name}, with wires and devices", text, note))
    simulated, own = bool(found), ""
    if loss is not None and loss.metric != "error":
        text, over = _score(loss.metric, loss.before), units.some(loss.samples, "sample")
        own = f"; the network itself has {text}"
        if not simulated:
            found.append(Score(f"{METRICS[loss.metric]}, the network itself", text, over))
    if not simulated:
        found.append(Score("with wires and devices", "", "memxc simulate DIR --data FILE.npz"))
    if loss is not None:
        text, over = _score(loss.metric, loss.after), units.some(loss.samples, "sample")
        name = f"{METRICS[loss.metric]}, the circuit with ideal wires"
        found.append(Score(name, text, f"{over} of the compilation{own * simulated}"))
    return found


def _as_compiled(results: Results) -> list[KeptResult]:
    """The simulations of the circuit as it was compiled: no other settings, no sweep, no chip."""
    return [
        result
        for result in results.simulated
        if result.simulated is not None
        and not result.simulated.settings
        and result.simulated.conductances is None
        and not result.simulated.rows[0].settings
    ]


def _score(metric: str, value: float) -> str:
    return f"{value:.2e}" if metric == "error" else f"{100 * value:.2f} %"


def ladder(report: Report, results: Results) -> list[ErrorStep]:
    """Return the error of each step, from the original network to the netlist in SPICE."""
    exact = {row.name for row in report.passes if row.exact}
    steps = [
        _step(rung.start, rung.end, "exact" if not n or rung.end in exact else "lossy",
              rung.max_rel_error)
        for n, rung in enumerate(report.fidelity.rungs)
    ]  # fmt: skip
    for result in results.verified:
        if result.verified is not None and result.verified.stages:
            error = max(stage.max_rel_error for stage in result.verified.stages)
            engine = result.verified.engine.name
            end = f"{engine} ({result.words})" if result.words else engine
            steps.append(_step("design, stage by stage", end, "exact", error))
            outputs = result.verified.outputs
            if outputs is not None:
                steps.append(_step("onnxruntime", f"all of {end}", "lossy", outputs.max_rel_error))
    return steps


def _step(start: str, end: str, kind: str, error: float) -> ErrorStep:
    finite = min(max(error, _LEAST), 1.0) if math.isfinite(error) else 1.0
    return ErrorStep(start, end, kind, error, 1 - math.log10(finite) / math.log10(_LEAST))
