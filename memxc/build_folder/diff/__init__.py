"""What differs between two reports: settings, quantities, stages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from memxc import units
from memxc.errors import printable

SCHEMA = "memxc-diff/1"

#: The quantities of a report by name: unit, and where they stand.
QUANTITIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "crossbars": ("", ("resources", "total", "crossbars")),
    "memristors": ("", ("resources", "total", "memristors")),
    "word lines": ("", ("resources", "total", "word_lines")),
    "bit lines": ("", ("resources", "total", "bit_lines")),
    "op-amps": ("", ("resources", "total", "opamps")),
    "inverters": ("", ("resources", "total", "inverters")),
    "power": ("W", ("power", "total_w")),
    "power of crossbars": ("W", ("power", "crossbar_w")),
    "energy": ("J", ("power", "energy_per_inference_j")),
    "stages on the critical path": ("", ("latency", "critical_path_stages")),
    "periods": ("", ("latency", "periods")),
    "latency": ("s", ("latency", "inference_s")),
    "area": ("m2", ("area", "total_m2")),
    "loss": ("", ("fidelity", "loss", "lost")),
}
#: What is compared of a stage: its key, its name, its unit, and the table of the report.
_STAGE = (
    ("crossbars", "crossbars", "", "resources"),
    ("memristors", "memristors", "", "resources"),
    ("opamps", "op-amps", "", "resources"),
    ("periods", "periods", "", "resources"),
    ("total_w", "power", "W", "power"),
)
#: Settings that say where a number comes from, not what it is.
_WORDS = ("summary", "source")


@dataclass(frozen=True)
class Taken:
    """What is compared of a report. A loss that was not measured is None; kinds: of the stages."""

    settings: Mapping[str, Any]
    quantities: Mapping[str, float | None]
    stages: Mapping[str, Mapping[str, float]]
    kinds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Limit:
    """How much the second report may have more: an amount, or a share of the first's."""

    more: float
    relative: bool

    def allows(self, before: float, after: float) -> bool:
        """Whether it has no more than that."""
        return after - before <= self.more * (abs(before) if self.relative else 1.0)


def taken(report: Mapping[str, Any]) -> Taken:
    """What is compared of report.json. KeyError, TypeError, ValueError where it is not one."""
    settings = {
        key: value
        for part in ("model", "target", "options")
        for key, value in _flat(report[part], part)
        if key.rpartition(".")[2] not in _WORDS
    }
    # Losses of two kinds, or over other samples, are two quantities of one name.
    loss = report["fidelity"]["loss"] or {}
    settings |= {f"loss.{key}": loss[key] for key in ("metric", "samples") if key in loss}
    stages: dict[str, dict[str, float]] = {}
    for key, _, _, table in _STAGE:
        for row in report[table]["stages"]:
            stages.setdefault(row["stage"], {})[key] = _number(row[key])
    for name, found in stages.items():
        if not isinstance(name, str) or len(found) < len(_STAGE):
            raise ValueError(f"resources and power have not the same stages: {name}")
    quantities = {name: at(report, path) for name, (_, path) in QUANTITIES.items()}
    kinds = {row["stage"]: str(row["kind"]) for row in report["resources"]["stages"]}
    return Taken(settings, quantities, stages, kinds)


def compare(a: Taken, b: Taken) -> dict[str, Any]:
    """The document of schema memxc-diff/1: what is not the same, and the quantities in any case."""
    from memxc.build_folder.diff.matching import StageFigures, pairs  # noqa: PLC0415 - numpy, which --help never needs

    parts, others = (
        {
            name: StageFigures(side.kinds.get(name, ""), tuple(found.values()))
            for name, found in side.stages.items()
        }
        for side in (a, b)
    )
    return {
        "schema": SCHEMA,
        "settings": [
            {"key": key, "a": a.settings.get(key), "b": b.settings.get(key)}
            for key in dict.fromkeys([*a.settings, *b.settings])
            if a.settings.get(key) != b.settings.get(key)
        ],
        "quantities": [
            {"name": name, "unit": unit, "a": a.quantities[name], "b": b.quantities[name]}
            for name, (unit, _) in QUANTITIES.items()
        ],
        "stages": [
            {
                "stage": theirs if mine is None else mine,
                "stage_b": theirs,
                "a": a.stages.get(mine) if mine is not None else None,
                "b": b.stages.get(theirs) if theirs is not None else None,
            }
            for mine, theirs in pairs(parts, others)
            if mine is None or theirs is None or not parts[mine].like(others[theirs])
        ],
    }


def over(limits: Mapping[str, Limit], found: Mapping[str, Any]) -> list[str]:
    """A sentence for every quantity that grows by more than its limit."""
    lines = []
    for row in found["quantities"]:
        limit, before, after = limits.get(row["name"]), row["a"], row["b"]
        if limit is None:
            continue
        if before is None or after is None:
            lines.append(f"over budget: {row['name']} was not measured in both")
        elif not limit.allows(before, after):
            more = f"{limit.more:.4g}" if not row["unit"] else units.text(limit.more, row["unit"])
            allowed = f"{100 * limit.more:.4g} %" if limit.relative else more
            shown = " to ".join(beside(row["unit"], before, after))
            lines.append(f"over budget: {row['name']} {shown} where {allowed} more is allowed")
    return lines


def text(found: Mapping[str, Any]) -> str:
    """A comparison for people, in plain lines and tables."""
    parts = []
    if found["settings"]:
        settings = [(printable(r["key"], 60), *words(r["a"], r["b"])) for r in found["settings"]]
        parts.append(units.table(settings, ("setting", "A", "B")))
    rows = [
        (r["name"], *beside(r["unit"], r["a"], r["b"]), _change(r["a"], r["b"]))
        for r in found["quantities"]
    ]
    parts.append(units.table(rows, ("quantity", "A", "B", "change")))
    return "\n\n".join([*parts, *_stages(found)])


def _stages(found: Mapping[str, Any]) -> Iterator[str]:
    """The table of the stages that differ, with the columns in which any does; none where only
    rounding differs."""
    cells = [
        [beside(unit, *(side and side[key] for side in (row["a"], row["b"])))
         for key, _, unit, _ in _STAGE]
        for row in found["stages"]
    ]  # fmt: skip
    names = units.names(map(_title, found["stages"]), 60)
    told = [k for k in range(len(_STAGE)) if any(row[k][0] != row[k][1] for row in cells)]
    if told:
        yield units.table(
            [
                (name, *chain(*(pairs[k] for k in told)))
                for name, pairs in zip(names, cells, strict=True)
                if any(a != b for a, b in pairs)
            ],
            ("stage that differs", *chain(*((f"{_STAGE[k][1]} A", "B") for k in told))),
        )


def _title(row: Mapping[str, Any]) -> str:
    """The name of a stage, or both where they differ."""
    names = dict.fromkeys(name for name in (row["stage"], row["stage_b"]) if name is not None)
    return " | ".join(names)


def beside(unit: str, a: float | None, b: float | None) -> tuple[str, str]:
    """A quantity of both reports with its unit, a dash where it was not measured; in three digits,
    or in six where that tells the two apart."""
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
    if before <= 0:  # a loss may be a gain, of which there is no share
        return "-" if before else "new"
    share = f"{after / before - 1:+.1%}"
    return "0.0%" if share[1:] == "0.0%" else share


def words(a: Any, b: Any) -> tuple[str, str]:
    """Two values of a setting as a user would write them, cut where they are long."""
    one, other = _word(a), _word(b)
    if one == other:
        one, other = str(a), str(b)
    if printable(one, 40) == printable(other, 40):
        # Long ones, which differ behind the cut.
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


def at(report: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    """A number of a report; None where it was not measured, infinite where it is none."""
    value: Any = report
    for part in path:
        if value is None:
            return None
        value = value[part]
    return float(_number(value))


def _number(value: Any) -> float:
    """A number of a report. TypeError, ValueError where it is none."""
    if isinstance(value, int):
        return value
    # It stands as a word in JSON, and is more than any limit.
    found = float(value)
    return math.inf if math.isnan(found) else found
