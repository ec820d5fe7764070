"""docs/operators.md: the registry of operators, and the results of ONNX's own cases."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import onnx  # noqa: TID251

from memxc import ops, render
from memxc.conformance.suite import KINDS, Case, general
from memxc.ops.lower import survey

#: Most circuits that a row of the table names; some operators build more, by their attributes.
_NAMED = 4


@dataclass
class _Seen:
    """What the passed cases show about one operator."""

    cases: set[str]
    kinds: Counter[str]
    circuits: Counter[str]


def text(cases: Sequence[Case]) -> str:
    """Return the page; the same version of onnx gives the same text."""
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
    """Return, by operator, the number of passed cases whose circuit contains it."""
    return {name: len(entry.cases) for name, entry in _seen(cases).items() if entry.cases}


def counts(cases: Sequence[Case]) -> list[dict[str, object]]:
    """Return the numbers of passed, skipped and failed cases for each kind, and for all."""
    rows: list[dict[str, object]] = []
    for kind in (*KINDS, ""):
        outcomes = Counter[str](case.outcome for case in cases if case.kind == kind or not kind)
        row = {name: outcomes[name] for name in ("passed", "skipped", "failed")}
        rows.append({"kind": kind or "all", "total": outcomes.total(), **row})
    return rows


def exclusions(cases: Sequence[Case]) -> list[tuple[str, int, str]]:
    """Return (reason, number of cases, one case) of skipped cases with declared operators only."""
    declared = set(ops.available())
    by_reason: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        if case.outcome == "skipped" and case.operators <= declared:
            by_reason[general(case.reason)].append(case.name)
    return sorted((reason, len(names), min(names)) for reason, names in by_reason.items())


def _seen(cases: Sequence[Case]) -> dict[str, _Seen]:
    """Return by operator what remains of each passed case after constants are folded."""
    seen = {name: _Seen(set(), Counter(), Counter()) for name in ops.available()}
    for case in cases:
        if case.circuit is None:
            continue
        for row in survey(case.circuit.graph)[0]:
            entry = seen[row.operator]
            entry.cases.add(case.name)
            entry.kinds.update(filter(None, row.kind.split(", ")))
            if "lanes" in row.kind or "digital" in row.kind:
                # Names of lane cells only: the size of a crossbar does not matter here.
                names = (word for word in row.circuit.split(", ") if word.isidentifier())
                entry.circuits.update(names)
    return seen


def _listed(found: Counter[str]) -> str:
    names = sorted(found, key=lambda name: (-found[name], name))
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")


def _refusals() -> list[tuple[str, str]]:
    """Return (operators, reason), with one entry for all operators of a reason."""
    together: dict[str, list[str]] = defaultdict(list)
    for name, reason in ops.refusals().items():
        together[reason].append(name)
    return [(", ".join(names), reason) for reason, names in together.items()]
