"""docs/operators.md: the registry, and what ONNX's own cases say of each operator."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx  # noqa: TID251

from memxc import ops, render
from memxc.conformance.suite import KINDS, Case, general
from memxc.ops.lower import survey

#: Circuits named in a row of the table; some operators build more, by their attributes.
_NAMED = 4


@dataclass
class _Seen:
    """What the passed cases show of one operator."""

    cases: set[str]
    kinds: Counter[str]
    circuits: Counter[str]


def text(cases: Sequence[Case]) -> str:
    """The page, the same for the same version of onnx."""
    seen = _seen(cases)
    rows = [
        {
            "name": column.name,
            "since": column.since,
            "attributes": ", ".join(sorted(column.attrs)) or "-",
            "kinds": _listed(seen[name].kinds),
            "circuits": _listed(seen[name].circuits),
            "cases": len(seen[name].cases),
        }
        for name, column in ops.available().items()
    ]
    return render.report(
        "operators.md",
        onnx=onnx.__version__,
        rows=rows,
        counts=counts(cases),
        refusals=_refusals(),
        exclusions=exclusions(cases),
    )


def held(cases: Sequence[Case]) -> dict[str, int]:
    """By operator, the passed cases whose circuit holds it."""
    return {name: len(entry.cases) for name, entry in _seen(cases).items() if entry.cases}


def counts(cases: Sequence[Case]) -> list[dict[str, object]]:
    """Cases passed, skipped and failed of each kind, and in all."""
    rows: list[dict[str, object]] = []
    for kind in (*KINDS, ""):
        found = Counter[str](case.outcome for case in cases if case.kind == kind or not kind)
        rows.append({"kind": kind or "all", "total": found.total(), **_outcomes(found)})
    return rows


def exclusions(cases: Sequence[Case]) -> list[tuple[str, int, str]]:
    """(reason, cases, one of them) of the skipped cases that use only declared operators."""
    declared = set(ops.available())
    found: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        if case.outcome == "skipped" and case.operators <= declared:
            found[general(case.reason)].append(case.name)
    return sorted((reason, len(names), min(names)) for reason, names in found.items())


def _outcomes(found: Mapping[str, int]) -> dict[str, object]:
    return {outcome: found.get(outcome, 0) for outcome in ("passed", "skipped", "failed")}


def _seen(cases: Sequence[Case]) -> dict[str, _Seen]:
    """By operator, from what is left of each passed case after folding."""
    seen = {name: _Seen(set(), Counter(), Counter()) for name in ops.available()}
    for case in cases:
        if case.circuit is None:
            continue
        for row in survey(case.circuit.graph)[0]:
            entry = seen[row.operator]
            entry.cases.add(case.name)
            entry.kinds.update(filter(None, row.kind.split(", ")))
            if "lanes" in row.kind or "digital" in row.kind:
                entry.circuits.update(_names(row.circuit))
    return seen


def _names(circuit: str) -> list[str]:
    """The names of lane cells in a survey's row; how large a crossbar is says nothing here."""
    return [word for word in circuit.split(", ") if word.isidentifier()]


def _listed(found: Counter[str]) -> str:
    names = sorted(found, key=lambda name: (-found[name], name))
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _refusals() -> list[tuple[str, str]]:
    """(operators, reason), operators with the same reason together."""
    together: dict[str, list[str]] = defaultdict(list)
    for name, reason in ops.refusals().items():
        together[reason].append(name)
    return [(", ".join(names), reason) for reason, names in together.items()]
