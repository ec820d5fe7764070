"""Program a circuit: the plan of its pulses, a deck that applies them, and what they reach."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from memxc.backends.programming import cost, deck, plan
from memxc.backends.programming.crossbars import ToProgram, crossbars, distinct
from memxc.backends.programming.plan import PulsePlan
from memxc.backends.programming.rows import Programmed
from memxc.backends.programming.table import table
from memxc.build_folder import write
from memxc.build_folder.read import Loaded
from memxc.errors import fail, printable
from memxc.ir.design import Design
from memxc.library import circuits
from memxc.library.conductances import template


def programmed(loaded: Loaded, out: Path, crossbar: str | None, draw: circuits.Draw) -> Programmed:
    """Write the plan of a folder to the folder `out`, and return what programming costs.

    Its files are programming.csv, reached.npz and, for a crossbar, write_verify_<name>.cir. Raises
    MemxcError: bad-target for a target without [programming], usage, cannot-write.
    """
    if out.resolve().is_relative_to(loaded.folder.resolve()):
        what = f"is inside {loaded.folder}, which compile replaces"
        raise fail("usage", str(out), what, "give another folder to -o")
    point, design = circuits.point_of(loaded, draw)
    target = point.target
    if target.programming is None:
        what = "has no table [programming], so it is not known how its memristors are programmed"
        hint = (
            "add [dynamics] and [programming] to your target (docs/programming.md), compile again"
        )
        raise fail("bad-target", printable(target.name, 80), what, hint)
    found = plan.planned(distinct(design), target)
    texts = {"programming.csv": table(design, found, target.programming)}
    if crossbar is not None:
        chosen = _chosen(design, crossbar, found)
        lines = deck.deck(chosen.g, found, target, chosen.name)
        texts[f"write_verify_{chosen.name}.cir"] = lines
    for name, lines in texts.items():
        write.write_file(out / name, lines)
    write.write_file(out / "reached.npz", npz(reached(design, found)))
    files = tuple(str(out / name) for name in (*texts, "reached.npz"))
    figures = dict(cost.of(design, target, found))
    return Programmed(schema_="memxc-program/1", files=files, **figures)


def npz(arrays: dict[str, plan.Floats]) -> bytes:
    """The bytes of an .npz file."""
    data = io.BytesIO()
    np.savez(data, **arrays)  # type: ignore[arg-type]
    return data.getvalue()


def reached(design: Design, found: PulsePlan) -> dict[str, plan.Floats]:
    """The siemens that the plan reaches, for `simulate --conductances`."""
    arrays = template(design)
    for g in arrays.values():
        there = np.isfinite(g)
        g[there] = found.reached_s[found.of(g[there])]
    return arrays


def _chosen(design: Design, name: str, found: PulsePlan) -> ToProgram:
    """The crossbar of a deck. Raises MemxcError (usage) if there is none, or it is too large."""
    for crossbar in crossbars(design):
        if crossbar.name == name:
            g = crossbar.g[crossbar.g > 0]
            pulses = int(found.pulses[found.of(g)].sum())
            if len(g) > deck.MOST_CELLS or pulses > deck.MOST_PULSES:
                what = (
                    f"has {len(g):,} memristors, which take {pulses:,} pulses; a deck has at most "
                )
                what += f"{deck.MOST_CELLS:,} memristors and {deck.MOST_PULSES:,} pulses"
                raise fail("usage", f"--crossbar {name}", what, "compile with a smaller --tile")
            return crossbar
    what = "no crossbar of memristors has this name"
    raise fail(
        "usage", f"--crossbar {name}", what, "the column subckt of mapping.csv has the names"
    )
