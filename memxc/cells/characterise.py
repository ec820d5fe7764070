"""Measure the cells of a target, and make the table that a target reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product

from memxc import engines, pdk
from memxc.cells import cell_bench, op_amp_bench, skeleton
from memxc.cells.bench import ENGINE, Bench
from memxc.cells.op_amp_bench import Condition, Response
from memxc.cells.text import Circuits
from memxc.errors import Fault, MemxcError, fail
from memxc.target.characterisation import CellPoint, Characterisation, OpAmpPoint

#: The load of op-amps if the target names no smallest feedback resistor, and others beside it.
_R_OHM, _LARGE_OHM, _C_F, _LARGE_F = 2e4, 1e6, 1.5e-13, 1e-12
#: Noise gains: of an inverter, of an op-amp behind a crossbar, and the largest that ERC allows.
_GAINS = (2.0, 6.0, 16.0)
#: Temperatures in degrees at which processes have models.
COLDEST, HOTTEST = -55.0, 150.0


def characterise(
    circuits: Circuits,
    corners: Sequence[str],
    celsius: Sequence[float],
    progress: Callable[[str], None],
) -> Characterisation:
    """Return the table of a target's cells.

    corners, celsius: the first of each is nominal, and has all loads and noise gains; the others
    have the first load. Raises MemxcError: usage for a corner or temperature that does not exist,
    and what engines raise.
    """
    _check(circuits, corners, celsius)
    points: list[OpAmpPoint] = []
    responses: list[Response] = []
    cells: list[CellPoint] = []
    for number, (corner, degrees) in enumerate(product(corners, celsius)):
        where = " ".join(word for word in (corner, f"{degrees:g} C") if word)
        for condition in _conditions(circuits)[: None if number == 0 else 1]:
            progress(f"op_amp {where}, {condition.r_load_ohm:g} ohm, {condition.noise_gain:g}")
            bench = Bench(circuits, "op_amp", corner, degrees)
            with _held("op_amp"):
                point, response = op_amp_bench.measure(bench, condition)
            points.append(point)
            responses += [response] if number == 0 else []
        for name, cell in circuits.cells.items():
            if cell.function is not None:
                progress(f"{name} {where}")
                load = _conditions(circuits)[0]
                guess = 30 / (points[0].gain_bandwidth_hz or 1e6)
                bench = Bench(circuits, name, corner, degrees)
                cells.append(cell_bench.measure(bench, cell, load.r_load_ohm, load.c_load_f, guess))
    return _table(circuits, points, responses, cells)


@contextmanager
def _held(name: str) -> Iterator[None]:
    """Raise MemxcError (bad-cells) if a cell has figures that no table can hold."""
    try:
        yield
    except ValueError as error:
        what = "has a figure that no table can hold, for example a gain of 0 or an infinite current"
        hint = "simulate it alone, and look at its output"
        raise fail("bad-cells", name, what, hint) from error


def _table(
    circuits: Circuits,
    points: Sequence[OpAmpPoint],
    responses: Sequence[Response],
    cells: Sequence[CellPoint],
) -> Characterisation:
    process = pdk.found()[0] if circuits.level == "transistor" else None
    own = circuits.own is not None and "op_amp" in circuits.own.definitions
    return Characterisation(
        level=circuits.level,
        variant="own" if own else "",
        sha256=circuits.sha256("op_amp"),
        engine=ENGINE,
        engine_version=engines.get(ENGINE).version() or "",
        process="" if process is None else f"{process.name} {process.version}",
        process_sha256="" if process is None else process.sha256,
        supply_v=circuits.supply_v,
        output_class="A" if points[0].sink_w_per_a < 0 else "AB",
        skeleton=skeleton.fit(responses, points[0].c_in_f),
        points=tuple(points),
        cells=tuple(cells),
    )


def _conditions(circuits: Circuits) -> list[Condition]:
    """Return the nominal load with several noise gains, a larger resistor, a larger capacitor."""
    r_ohm = circuits.amplifier.r_f_min_ohm or _R_OHM
    nominal = [Condition(r_ohm, _C_F, gain) for gain in _GAINS]
    large = [Condition(max(_LARGE_OHM, 10 * r_ohm), _C_F, 2.0), Condition(r_ohm, _LARGE_F, 2.0)]
    return nominal + large


def _check(circuits: Circuits, corners: Sequence[str], celsius: Sequence[float]) -> None:
    faults = list(_unknown(circuits, corners))
    for degrees in celsius:
        if not COLDEST <= degrees <= HOTTEST or not math.isfinite(degrees):
            what = f"has to be {COLDEST:g} to {HOTTEST:g} degrees Celsius"
            faults.append(Fault("usage", f"--temperature {degrees:g}", what))
    for option, values in (("--corner", corners), ("--temperature", celsius)):
        if len(set(values)) < len(values):
            faults.append(Fault("usage", option, "has a value twice"))
    if faults:
        raise MemxcError(faults)
    if "op_amp" not in circuits.cells:
        raise fail("usage", f"--level {circuits.level}", "there is no op-amp at this level")


def _unknown(circuits: Circuits, corners: Sequence[str]) -> Iterator[Fault]:
    for corner in corners:
        if corner not in circuits.corners:
            what = "no such corner"
            hint = f"one of {', '.join(circuits.corners)}"
            if circuits.level == "macro":
                what, hint = "the level macro has no corners", "leave --corner out"
            yield Fault("usage", f"--corner {corner}", what, hint)
