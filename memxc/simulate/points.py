"""The points of a sweep: their settings, their targets, and what has to be programmed anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from memxc.errors import Fault, MemxcError, fail
from memxc.evaluation.metrics import Metric
from memxc.ir.design import Design
from memxc.physics.device import variation
from memxc.target import Target

#: Keys that decide how a network is programmed; the programmed design cannot be changed by them.
_PROGRAMMED = {
    "device": ("r_on_ohm", "r_off_ohm", "levels", "states", "read_voltage_v", "threshold_v"),
    "crossbar": ("rows", "columns"),
    "amplifier": ("gain", "swing_v"),
}

#: The same network programmed for another target; None where that cannot be.
Program = Callable[[Target], Design] | None


@dataclass(frozen=True)
class SweepPlan:
    """What to simulate. sweep: (key, values) pairs, all combinations of which are simulated."""

    settings: tuple[str, ...] = ()
    sweep: tuple[tuple[str, tuple[str, ...]], ...] = ()
    draws: int = 1
    draw_per: variation.DrawPer = "placement"
    metric: Metric | None = None
    seed: int = 0


@dataclass(frozen=True)
class Point:
    """One combination of a sweep, and the target that it is.

    reprogrammed: the keys that decide programming and are not as compiled.
    """

    settings: tuple[str, ...]
    target: Target
    reprogrammed: tuple[str, ...] = ()


def points(plan: SweepPlan, target: Target) -> list[Point]:
    """All points of a plan, in order. Raises MemxcError (usage) with what is wrong in any."""
    found, faults = list[Point](), dict[tuple[str, str], Fault]()
    for settings in _combinations(plan):
        try:
            changed = target.with_set(*plan.settings, *settings)
            found.append(Point(settings, changed, _reprogrammed(target, changed)))
        except MemxcError as error:
            for fault in error.faults:
                said = _said(fault, settings)
                # A key that is none is as wrong with every value.
                faults.setdefault((said.where.partition("=")[0], said.what), said)
    if faults:
        raise MemxcError(faults.values())
    return found


def check_programming(todo: Iterable[Point], program: Program) -> None:
    """MemxcError (usage) where points want the network anew and it cannot be programmed."""
    keys = dict.fromkeys(key for point in todo for key in point.reprogrammed)
    if keys and program is None:
        hint = "compile it with a target of that kind, then simulate that"
        what = "decides how a network is programmed, and this one cannot be programmed anew"
        raise fail("usage", ", ".join(keys), what, hint)


def programmed(point: Point, design: Design, program: Program) -> Design:
    """The network of a point: the design as compiled, or programmed anew for the point's target.

    Raises MemxcError as check_programming, and what `program` does.
    """
    check_programming([point], program)
    return program(point.target) if program and point.reprogrammed else design


def _said(fault: Fault, settings: tuple[str, ...]) -> Fault:
    """The fault with the user's own word for a setting that comes from the sweep."""
    if not any(setting in fault.where for setting in settings):
        return fault
    return replace(fault, where=fault.where.replace("--set", "--sweep", 1))


def _combinations(plan: SweepPlan) -> Iterator[tuple[str, ...]]:
    keys = [key for key, _ in plan.sweep]
    for values in product(*(values for _, values in plan.sweep)):
        yield tuple(f"{key}={value}" for key, value in zip(keys, values, strict=True))


def _reprogrammed(target: Target, changed: Target) -> tuple[str, ...]:
    return tuple(
        f"{table}.{key}"
        for table, keys in _PROGRAMMED.items()
        for key in keys
        if getattr(getattr(target, table), key) != getattr(getattr(changed, table), key)
    )
