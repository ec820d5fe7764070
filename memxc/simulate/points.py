"""Points of a sweep, and which of them need a new compilation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product

from memxc.errors import Fault, MemxcError, fail
from memxc.evaluation.metrics import Metric
from memxc.ir.design import Design
from memxc.physics.device import variation
from memxc.target import Target

#: Keys that decide how a network is programmed, so that changing them needs a new compilation.
_PROGRAMMED = {
    "device": ("r_on_ohm", "r_off_ohm", "levels", "states", "read_voltage_v", "threshold_v"),
    "crossbar": ("rows", "columns"),
    "amplifier": ("gain", "swing_v"),
}

#: A function that programs the same network for another target; None if that is not possible.
Program = Callable[[Target], Design] | None


@dataclass(frozen=True)
class SweepPlan:
    """What to simulate. sweep: (key, values) pairs; every combination of the values is a point."""

    settings: tuple[str, ...] = ()
    sweep: tuple[tuple[str, tuple[str, ...]], ...] = ()
    draws: int = 1
    draw_per: variation.DrawPer = "placement"
    metric: Metric | None = None
    seed: int = 0


@dataclass(frozen=True)
class Point:
    """One combination of a sweep, and its target.

    reprogrammed: the keys that decide programming and differ from the compiled target.
    """

    settings: tuple[str, ...]
    target: Target
    reprogrammed: tuple[str, ...] = ()


def points(plan: SweepPlan, target: Target) -> list[Point]:
    """Return all points of a plan, in order. Raises MemxcError (usage) with all their faults."""
    all_points, faults = list[Point](), dict[tuple[str, str], Fault]()
    for settings in product(*([f"{key}={value}" for value in of] for key, of in plan.sweep)):
        try:
            changed = target.with_set(*plan.settings, *settings)
            all_points.append(Point(settings, changed, _reprogrammed(target, changed)))
        except MemxcError as error:
            for fault in error.faults:
                reworded = _said(fault, settings)
                # An unknown key is wrong with every value, so it is reported once.
                faults.setdefault((reworded.where.partition("=")[0], reworded.what), reworded)
    if faults:
        raise MemxcError(faults.values())
    return all_points


def check_programming(todo: Iterable[Point], program: Program) -> None:
    """Raise MemxcError (usage) if points need a network that cannot be programmed again."""
    keys = dict.fromkeys(key for point in todo for key in point.reprogrammed)
    if keys and program is None:
        hint = "compile the model with such a target, then simulate the new folder"
        what = "decides how a network is programmed, and this one cannot be programmed again"
        raise fail("usage", ", ".join(keys), what, hint)


def programmed(point: Point, design: Design, program: Program) -> Design:
    """Return the network of a point: the compiled design, or one programmed for its target.

    Raises MemxcError as check_programming does, and what `program` raises.
    """
    check_programming([point], program)
    return program(point.target) if program and point.reprogrammed else design


def _said(fault: Fault, settings: tuple[str, ...]) -> Fault:
    """Return the fault with --sweep as the place of a setting that comes from the sweep."""
    if not any(setting in fault.where for setting in settings):
        return fault
    return replace(fault, where=fault.where.replace("--set", "--sweep", 1))


def _reprogrammed(target: Target, changed: Target) -> tuple[str, ...]:
    return tuple(
        f"{table}.{key}"
        for table, keys in _PROGRAMMED.items()
        for key in keys
        if getattr(getattr(target, table), key) != getattr(getattr(changed, table), key)
    )
