"""The figures of a cell that computes a function of its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from memxc.cells.bench import Bench, Step, places
from memxc.cells.contract import Cell
from memxc.cells.op_amp_bench import rounded, rounded_volts
from memxc.target.characterisation import CellPoint

#: Points over the range of the inputs.
_POINTS = 21


def measure(bench: Bench, cell: Cell, r_load_ohm: float, c_f: float, guess_s: float) -> CellPoint:
    """Return what a cell does. Raises MemxcError and ValueError as `op_amp_bench.measure` does.

    r_load_ohm: at the output. c_f: at the output, and at each input that takes a current.
    guess_s: a first guess of the time until the output has settled.
    """
    volts = np.linspace(cell.low_v, cell.high_v, _POINTS)
    load = f"rl out 0 {r_load_ohm:.9e}\ncl out 0 {c_f:.9e}\n"
    assert cell.function is not None
    offset = error = 0.0
    fits = True
    watts = np.zeros(_POINTS)
    for number, values in enumerate(_settings(cell)):
        cards = _placed(cell, values, c_f, f"v={places(volts)}") + load
        found = bench.sweep(cards, ["out", "i(vdd)", "i(vss)"], _POINTS)
        ideal = cell.function(volts, values)
        away = found[:, 0] - ideal
        middle = float(away[_POINTS // 2])
        largest = float(np.abs(away - middle).max())
        error, fits = max(error, largest), fits and largest <= cell.accuracy * float(np.ptp(ideal))
        if not number:
            offset = middle
            watts = bench.circuits.supply_v * (found[:, 2] - found[:, 1])
    seconds, overshoot = _settling(bench, cell, load, c_f, guess_s)
    return CellPoint(
        cell=cell.name,
        sha256=bench.circuits.sha256(cell.name),
        corner=bench.corner,
        temperature_k=rounded(bench.celsius + 273.15, 5),
        offset_v=rounded_volts(offset),
        error_v=rounded_volts(error),
        power_w=rounded(float(watts[_POINTS // 2])),
        power_low_w=rounded(float(watts[0])),
        power_high_w=rounded(float(watts[-1])),
        settling_s=seconds,
        overshoot=overshoot,
        fits=fits and seconds is not None,
    )


def _settings(cell: Cell) -> Iterator[Mapping[str, float]]:
    """Yield values of the parameters: those of the bench, then the lowest and the highest."""
    yield {each.name: each.value for each in cell.parameters}
    if cell.parameters:
        yield {each.name: each.low for each in cell.parameters}
        yield {each.name: each.high for each in cell.parameters}


def _placed(cell: Cell, values: Mapping[str, float], c_f: float, volts: str) -> str:
    """Return the cards of a cell and of what drives it. volts: the value of the bench's source."""
    kind = "b" if volts.startswith("v=") else "v"
    cards = f"{kind}in drive 0 {volts}\n"
    for each in cell.inputs:
        driven = f"e{each.port}" if each.r_ohm else each.port
        cards += f"e{each.port} {driven} o{each.port} drive 0 {each.share:.9e}\n"
        cards += f"vo{each.port} o{each.port} 0 {each.volts:.9e}\n"
        if each.r_ohm:
            cards += f"r{each.port} {driven} {each.port} {each.r_ohm:.9e}\n"
            cards += f"c{each.port} {each.port} 0 {c_f:.9e}\n"
    given = " ".join(f"{name}={value:.9e}" for name, value in values.items())
    return f"{cards}xc {' '.join(cell.ports)} {cell.name} {given}\n"


def _settling(
    bench: Bench, cell: Cell, load: str, c_f: float, guess_s: float
) -> tuple[float | None, float | None]:
    """Return the longer settling time and the larger overshoot of steps over the range.

    A function that rises and falls has no overshoot: None.
    """
    assert cell.function is not None
    values = next(iter(_settings(cell)))
    steps: list[Step | None] = []
    for low, high in ((cell.low_v, cell.high_v), (cell.high_v, cell.low_v)):
        pulse = f"pulse({low:.9e} {high:.9e} {{step}} 1e-12 1e-12 1 2)"
        steps += bench.steps(_placed(cell, values, c_f, pulse) + load, ["out"], guess_s)
    known = [step for step in steps if step is not None]
    if len(known) < len(steps):
        return None, None
    seconds = rounded(max(step.seconds for step in known))
    rising = np.diff(cell.function(np.linspace(cell.low_v, cell.high_v, _POINTS), values))
    if rising.min() < 0 < rising.max():
        # The output passes through a value beyond both ends, whatever the circuit does.
        return seconds, None
    return seconds, rounded_volts(max(step.overshoot for step in known))
