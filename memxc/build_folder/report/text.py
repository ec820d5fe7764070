"""Write the report for a terminal: a few lines and a table."""

from __future__ import annotations

import math
from collections.abc import Iterator

from memxc import units
from memxc.backends.cost.rows import IslandRow
from memxc.build_folder.report.document import Report
from memxc.compiler.stage_set import parse
from memxc.errors import escaped, printable
from memxc.evaluation.losses import Loss


def text(report: Report) -> str:
    """The report in a few plain lines and one table."""
    return "\n".join([*summary(report), "", _table(report), *_notes(report)])


def summary(report: Report) -> list[str]:
    """The figures that a user wants first, one line each."""
    total, watts = report.resources.total, report.power
    used = (
        "" if total.utilisation is None else f", which take {total.utilisation:.1%} of their places"
    )
    return [
        f"{units.some(total.crossbars, 'unit crossbar')} of {sizes(report)} with "
        f"{units.some(total.memristors, 'memristor')}{used}",
        f"{units.some(total.opamps, 'op-amp')}, {total.inverters:,} of them inverters; "
        f"area {units.area(report.area.total_m2)}",
        f"power {units.text(watts.total_w, 'W')}: crossbars {units.text(watts.crossbar_w, 'W')}, "
        f"amplifiers {units.text(watts.total_w - watts.crossbar_w, 'W')}",
        *_times(report),
        *_rules(report),
        *_distance(report),
        *_lost(report.fidelity.loss),
    ]


def sizes(report: Report) -> str:
    """The sizes of the unit crossbars, the largest first: "128x128 and 16x8".

    They are those of the stages on crossbars, or the target's if there is no such stage.
    """
    own, unit = own_sizes(report), report.target.crossbar
    usual = unit.rows, unit.columns
    found = {own.get(row.stage, usual) for row in report.resources.stages if row.crossbars}
    *most, last = (f"{rows}x{columns}" for rows, columns in sorted(found or {usual}, reverse=True))
    return f"{', '.join(most)} and {last}" if most else last


def own_sizes(report: Report) -> dict[str, tuple[int, int]]:
    """The rows and columns of unit crossbars of the stages that have a size of their own."""
    found = map(parse, _stage_set(report))
    return {stage: value for stage, key, value in found if key == "tile"}


def _stage_set(report: Report) -> tuple[str, ...]:
    # To read them all passes are imported; most reports have none, and need not wait for that.
    return report.settings.stage_set if report.options.get("stage_set") else ()


def _times(report: Report) -> Iterator[str]:
    """The time and the energy of an inference."""
    time, joules = report.latency, units.text(report.power.energy_per_inference_j, "J")
    path = (
        f"{units.some(time.periods, 'period')}, "
        f"{units.some(time.critical_path_stages, 'stage')} on the critical path"
    )
    one = f"an assumed {units.text(time.stage_time_s, 's')} a period"
    if time.clocked_s is None:
        yield f"{units.text(time.inference_s, 's')} and {joules} for an inference at {one}: {path}"
        return
    free = time.free_running_s
    without = "" if free is None else f", {units.text(free, 's')} without a clock"
    yield (
        f"{units.text(time.clocked_s, 's')} and {joules} for an inference in which every stage "
        f"settles to 0.1 %{without}; not included: {'; '.join(time.missing)}"
    )
    yield f"{units.text(time.inference_s, 's')} for an inference at {one}: {path}"


def _rules(report: Report) -> Iterator[str]:
    """The result of the electrical rule check, of an op-amp whose limits are known."""
    rules, amplifier = report.erc, report.target.amplifier
    if rules is None or (amplifier.source_a is None and amplifier.noise_gain_max is None):
        return
    if not rules.violations:
        yield "electrical rules: all hold"
        return
    worst = max(rules.violations, key=lambda broken: broken.value / broken.limit)
    yield (
        f"electrical rules: {len(rules.violations)} broken; the worst is {worst.rule} in "
        f"{printable(worst.stage, 40)}, {_amount(worst.value, worst.unit)} where "
        f"{_amount(worst.limit, worst.unit)} is the limit"
    )


def _amount(value: float, unit: str) -> str:
    return units.text(value, unit) if unit else f"{value:.4g}"


def _distance(report: Report) -> Iterator[str]:
    rungs = report.fidelity.rungs
    if rungs:
        # NaN counts as the largest error.
        worst = max(rungs, key=lambda r: (math.isnan(r.max_rel_error), r.max_rel_error))
        yield f"largest relative error of a step: {worst.max_rel_error:.1e} ({worst.end})"


def _lost(loss: Loss | None) -> list[str]:
    """What all lossy passes lost together."""
    if loss is None:
        return []
    over = f"over {loss.samples} samples, all passes together"
    if loss.metric == "error":
        return [f"relative error of the outputs: {units.small(loss.after)} {over}"]
    name = {"top1": "accuracy", "dice": "Dice"}[loss.metric]
    points = f"{100 * abs(loss.lost):.2f} points {'gained' if round(loss.lost, 4) < 0 else 'lost'}"
    return [f"{name}: {loss.before:.2%} before, {loss.after:.2%} after, {points}, {over}"]


def _table(report: Report) -> str:
    stages = report.resources.stages
    shown = units.names(row.stage for row in stages)
    rows = [
        [
            name,
            row.kind,
            *(f"{count:,}" for count in (row.crossbars, row.memristors, row.opamps, row.periods)),
            units.text(drawn.total_w, "W"),
        ]
        for name, row, drawn in zip(shown, stages, report.power.stages, strict=True)
    ]
    head = ["stage", "kind", "crossbars", "memristors", "op-amps", "periods", "power"]
    return units.table(rows, head)


def _island(row: IslandRow) -> str:
    """An island in one line, with what its figures lack."""
    nodes = ", ".join(f"{count} {name}" for name, count in row.operators.items())
    figures = (row.conversion_j, "J"), (row.conversion_s, "s")
    spent = [units.text(figure, unit) for figure, unit in figures if figure is not None]
    return (
        f"stays digital: {row.island} ({nodes}), with {units.some(row.adcs, 'ADC')} of "
        f"{_bits(row.adc_bits)} and {units.some(row.dacs, 'DAC')} of {_bits(row.dac_bits)}"
        f"{', which take ' * bool(spent)}{' and '.join(spent)}; "
        f"not known: {'; '.join(row.missing)}"
    )


def _bits(bits: int) -> str:
    return units.some(bits, "bit") if bits else "no error"


def _notes(report: Report) -> list[str]:
    lines = [f"stays digital: {row.stage} ({row.function})" for row in report.digital]
    lines += map(_island, report.islands or ())
    lines += [f"warning: {warning}" for warning in report.warnings]
    return ["", *map(escaped, lines)] if lines else []
