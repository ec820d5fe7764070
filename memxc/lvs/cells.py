"""The devices of the crossbar definitions against the design's conductances."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from memxc.ir.kernel import Crossbar
from memxc.netread import Definition, Netlist

#: file, line, where, expected, found
Row = tuple[str, int, str, str, str]


def differences(crossbar: Crossbar, netlist: Netlist) -> Iterator[Row]:
    """Every device of every block of a stack that is not as the design has it."""
    rows, columns = np.nonzero(crossbar.cell >= 0)
    devices = crossbar.cell[rows, columns]
    for group, number in enumerate(crossbar.definition.tolist()):
        name = f"xb{number}"
        found = netlist.definitions.get(name)
        if found is None:
            yield netlist.file, 0, name, "a definition", "missing"
            continue
        ports = crossbar.word_lines + crossbar.bit_lines
        if len(found.ports) != ports or len(set(found.ports)) != ports:
            yield (found.file, found.line, name, f"{ports} ports", f"{len(found.ports)} ports")
            continue
        ohms = _printed(1.0 / crossbar.g[group, devices])
        yield from _devices(found, rows * crossbar.bit_lines + columns, ohms, crossbar)


def _printed(ohms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers that %.9e would print."""
    return np.array([float(f"{value:.9e}") for value in ohms.tolist()])


def _devices(
    found: Definition, places: NDArray[np.intp], ohms: NDArray[np.float64], crossbar: Crossbar
) -> Iterator[Row]:
    words, bits = crossbar.word_lines, crossbar.bit_lines
    if found.a is None or found.b is None or found.ohms is None:
        if len(places):
            yield found.file, found.line, found.name, f"{len(places)} devices", "other cards"
        return
    have = found.a * bits + (found.b - words)
    if len(have) == len(places) and (have == places).all() and (found.ohms == ohms).all():
        return
    crossing = (found.a < words) & (found.b >= words)
    for i in np.flatnonzero(~crossing).tolist():
        yield (
            *_at(found, i),
            "a word line, then a bit line",
            f"{found.ports[found.a[i]]}, {found.ports[found.b[i]]}",
        )
    wanted = dict(zip(places.tolist(), ohms.tolist(), strict=True))
    for i in np.flatnonzero(crossing).tolist():
        place = int(have[i])
        ohm = wanted.pop(place, None)
        cell = f"word line {place // bits}, bit line {place % bits}"
        if ohm is None:
            yield (*_at(found, i), f"no (second) device at {cell}", f"{found.ohms[i]:.9e} ohm")
        elif ohm != found.ohms[i]:
            yield (*_at(found, i), f"{ohm:.9e} ohm at {cell}", f"{found.ohms[i]:.9e} ohm")
    for place, ohm in wanted.items():
        where = f"{found.name} word line {place // bits}, bit line {place % bits}"
        yield found.file, found.line, where, f"{ohm:.9e} ohm", "missing"


def _at(found: Definition, i: int) -> tuple[str, int, str]:
    # The head of a definition may run over several lines; they hold twelve ports each.
    head = 1 + (len(found.ports) - 1) // 12
    return found.file, found.line + head + i, f"{found.name} R{found.names[i].decode()}"
