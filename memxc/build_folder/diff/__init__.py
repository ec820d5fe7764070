"""Compare two reports: settings, quantities, stages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import Any

from memxc import render, units
from memxc.build_folder.diff.document import (
    SCHEMA,
    Comparison,
    QuantityRow,
    SettingRow,
    StageRow,
    StageValues,
)
from memxc.build_folder.diff.matching import StageFigures, pairs
from memxc.build_folder.quantities import QUANTITIES, Limit
from memxc.build_folder.report.document import Report
from memxc.errors import printable
from memxc.ir.store import dumps

#: The figures of a stage that are compared: name and unit.
_STAGE = {
    "crossbars": ("crossbars", ""),
    "memristors": ("memristors", ""),
    "opamps": ("op-amps", ""),
    "periods": ("periods", ""),
    "total_w": ("power", "W"),
}
#: Settings that are descriptions and are not compared.
_WORDS = ("summary", "source")
#: The head of a table, and its rows.
_Table = tuple[Sequence[str], Sequence[Sequence[str]]]
_NO_LIMITS: Mapping[str, Limit] = MappingProxyType({})


@dataclass(frozen=True)
class Taken:
    """The parts of a folder's report that are compared. A loss that was not measured is None.

    kinds: the kind of each stage.
    """

    folder: str
    settings: Mapping[str, Any]
    quantities: Mapping[str, float | None]
    stages: Mapping[str, StageValues]
    kinds: Mapping[str, str] = field(default_factory=dict)


def taken(folder: str, report: Report) -> Taken:
    """Take the parts of a report that are compared."""
    # Through JSON, so that tuples and lists are equal.
    tree = json.loads(dumps(report.tree()))
    settings = {
        key: value
        for part in ("model", "target", "options")
        for key, value in _flat(tree[part], part)
        if key.rpartition(".")[2] not in _WORDS
    }
    loss = report.fidelity.loss
    if loss is not None:
        # Metric and samples are shown as settings, as losses of two metrics cannot be compared.
        settings |= {"loss.metric": loss.metric, "loss.samples": loss.samples}
    stages = {
        row.stage: StageValues(
            crossbars=row.crossbars,
            memristors=row.memristors,
            opamps=row.opamps,
            periods=row.periods,
            total_w=drawn.total_w,
        )
        for row, drawn in zip(report.resources.stages, report.power.stages, strict=True)
    }
    quantities = {name: quantity.of(report) for name, quantity in QUANTITIES.items()}
    kinds = {row.stage: row.kind for row in report.resources.stages}
    return Taken(folder, settings, quantities, stages, kinds)


def compare(a: Taken, b: Taken, limits: Mapping[str, Limit] = _NO_LIMITS) -> Comparison:
    """The settings and stages that differ, all quantities, and the limits that B exceeds."""
    parts, others = (
        {
            name: StageFigures(side.kinds.get(name, ""), tuple(number for _, number in found))
            for name, found in side.stages.items()
        }
        for side in (a, b)
    )
    quantities = tuple(
        QuantityRow(name=name, unit=known.unit, a=a.quantities[name], b=b.quantities[name])
        for name, known in QUANTITIES.items()
    )
    settings = tuple(
        SettingRow(key=key, a=a.settings.get(key), b=b.settings.get(key))
        for key in dict.fromkeys([*a.settings, *b.settings])
        if a.settings.get(key) != b.settings.get(key)
    )
    return Comparison(
        a=a.folder,
        b=b.folder,
        schema_=SCHEMA,
        settings=settings,
        quantities=quantities,
        stages=tuple(
            StageRow(
                stage=mine if mine is not None else str(theirs),
                stage_b=theirs,
                a=a.stages.get(mine) if mine is not None else None,
                b=b.stages.get(theirs) if theirs is not None else None,
            )
            for mine, theirs in pairs(parts, others)
            if mine is None or theirs is None or not parts[mine].like(others[theirs])
        ),
        over=tuple(_over(quantities, limits, _metrics(settings))),
    )


def _metrics(settings: Iterable[SettingRow]) -> str:
    """The metrics of the two losses if they differ, or "". Such losses cannot be compared."""
    for row in settings:
        if row.key == "loss.metric" and row.a is not None and row.b is not None:
            return f"{row.a} in A and {row.b} in B"
    return ""


def _over(
    rows: tuple[QuantityRow, ...], limits: Mapping[str, Limit], metrics: str
) -> Iterator[str]:
    """A sentence for every quantity that grows by more than its limit, or cannot be compared."""
    for row in rows:
        limit = limits.get(row.name)
        if limit is None:
            continue
        if row.name == "loss" and metrics:
            yield f"over budget: loss is {metrics}, and these cannot be compared"
        elif row.a is None or row.b is None:
            yield f"over budget: {row.name} was not measured in both folders"
        elif not limit.allows(row.a, row.b):
            more = f"{limit.more:.4g}" if not row.unit else units.text(limit.more, row.unit)
            allowed = f"{100 * limit.more:.4g} %" if limit.relative else more
            shown = " to ".join(beside(row.unit, row.a, row.b))
            yield f"over budget: {row.name} grows from {shown}, and {allowed} more is allowed"


def text(found: Comparison) -> str:
    """The comparison as tables for a terminal."""
    tables = (_settings(found), _quantities(found), _stages(found))
    return "\n\n".join(units.table(rows, head) for head, rows in tables if rows)


def markdown(found: Comparison) -> str:
    """The comparison as Markdown for a comment: what is over budget, the figures, the rest folded.

    It has figures that changed; folders and names cannot add anything to the page.
    """
    head, rows = _quantities(found)
    changed = [row for row, known in zip(rows, found.quantities, strict=True) if known.a != known.b]
    a, b = (render.markdown(folder) for folder in (found.a, found.b))
    parts = [f"### Circuit: {a} (A) and {b} (B)"]
    parts += [f"- :x: {render.markdown(line)}" for line in found.over]
    parts.append(_markdown(head, changed) if changed else "No figure changed.")
    for what, (head, rows) in (
        ("settings that differ", _settings(found)), ("stages that differ", _stages(found))
    ):  # fmt: skip
        if rows:
            summary = f"<details><summary>{len(rows):,} {what}</summary>"
            parts += [summary, _markdown(head, rows), "</details>"]
    return "\n\n".join(parts)


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([render.markdown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _settings(found: Comparison) -> _Table:
    rows = [(printable(row.key, 60), *words(row.a, row.b)) for row in found.settings]
    return ("setting", "A", "B"), rows


def _quantities(found: Comparison) -> _Table:
    metrics = _metrics(found.settings)
    rows = [
        (
            row.name,
            *beside(row.unit, row.a, row.b),
            "other metric" if row.name == "loss" and metrics else _change(row.a, row.b),
        )
        for row in found.quantities
    ]
    return ("quantity", "A", "B", "change"), rows


def _stages(found: Comparison) -> _Table:
    """The table of the stages that differ, with the columns that differ; without rows if only
    rounding differs."""
    cells = [
        [
            beside(unit, *(None if side is None else getattr(side, key) for side in (row.a, row.b)))
            for key, (_, unit) in _STAGE.items()
        ]
        for row in found.stages
    ]
    names = units.names(map(_title, found.stages), 60)
    heads = [name for name, _ in _STAGE.values()]
    told = [k for k in range(len(heads)) if any(row[k][0] != row[k][1] for row in cells)]
    rows = [
        (name, *chain(*(pairs[k] for k in told)))
        for name, pairs in zip(names, cells, strict=True)
        if any(a != b for a, b in pairs)
    ]
    return ("stage that differs", *chain(*((f"{heads[k]} A", "B") for k in told))), rows


def _title(row: StageRow) -> str:
    """The name of a stage, or both names if they differ."""
    names = dict.fromkeys(name for name in (row.stage, row.stage_b) if name is not None)
    return " | ".join(names)


def beside(unit: str, a: float | None, b: float | None) -> tuple[str, str]:
    """A quantity of both reports with its unit, or a dash if it was not measured. It has three
    digits, or six if the two differ only in these."""
    short, long = ((_quantity(a, unit, digits), _quantity(b, unit, digits)) for digits in (3, 6))
    return long if short[0] == short[1] and long[0] != long[1] else short


def _quantity(value: float | None, unit: str, digits: int) -> str:
    if value is None:
        return "-"
    if unit:
        return units.area(value, digits) if unit == "m2" else units.text(value, unit, digits)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}"


def _change(before: float | None, after: float | None) -> str:
    if before is None or after is None or before == after:
        return "" if before == after else "-"
    if before <= 0:  # a negative loss is a gain, and has no ratio
        return "-" if before else "new"
    share = f"{after / before - 1:+.1%}"
    return "0.0%" if share[1:] == "0.0%" else share


def words(a: Any, b: Any) -> tuple[str, str]:
    """Two values of a setting as text, shortened if they are long."""
    one, other = _word(a), _word(b)
    if one == other:
        one, other = str(a), str(b)
    if printable(one, 40) == printable(other, 40):
        # Long values that differ only in the part that is cut off.
        pairs = enumerate(zip(one, other, strict=False))
        same = max(0, next((k for k, (x, y) in pairs if x != y), 0) - 10)
        one, other = f"…{one[same:]}", f"…{other[same:]}"
    return printable(one, 40), printable(other, 40)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, Mapping):
        if value.keys() == {"name", "shape"}:
            return f"{value['name']} {_word(value['shape'])}"
        return " ".join(f"{key}={_word(each)}" for key, each in value.items())
    if isinstance(value, list):
        kinds = {type(each) for each in value}
        mark = "x" if kinds == {int} else "," if kinds == {float} else ", "
        return mark.join(map(_word, value)) or "-"
    return "-" if value is None else str(value)


def _flat(tree: Any, key: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(tree, Mapping):
        yield key, tree
        return
    for name, value in tree.items():
        yield from _flat(value, f"{key}.{name}")
