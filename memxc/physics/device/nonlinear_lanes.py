"""Arrays of nonlinear cells without wires, turned into ordinary stages: curves, then linear cells.

    bus --+-- lanes f_1(v) --+
          |                  +-- word lines at f_k(v) -- crossbar of linear cells g_k -- amplifiers
          +-- lanes f_2(v) --+

All cells of a law share a few curves, i = sum of g_k * f_k(v) (iv_laws). A crossbar of them equals
one of linear cells g_k on word lines at f_k(v), so a stage becomes one Lanes stage a curve, a
Rename that joins these, and an Array. That is exact for ideal op-amps. With a finite gain, the load
of a summing node is taken from linear cells, and the error is 1 / gain times the relative
difference between the slope of the cells and their conductance at the bias voltage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memxc.errors import Fault, MemxcError
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array, Circuit, Lanes, Rename, Stage
from memxc.ir.windows import ints, lanewise
from memxc.physics.device.iv_laws import Law, LinearLaw
from memxc.physics.network import amplifier

Floats = NDArray[np.float64]

_BEND = Circuit("bend")


@dataclass(frozen=True)
class _CurvePart:
    """The cells of one curve on word lines of one sign.

    chord: amperes of the curve per volt at the bias voltage; the curves are divided by it, so that
    the bias voltage stays as it is.
    """

    curve: int
    sign: int
    chord: float


def straight(design: Design, law: Law) -> Design:
    """Return the design with linear cells only.

    Raises MemxcError (bad-target) if volts may leave the range in which the law was measured.
    """
    if isinstance(law, LinearLaw):
        return design
    _check_reach(design, law)
    buses = dict(design.buses)
    stages: list[Stage] = []
    for stage in design.stages:
        if isinstance(stage, Array) and stage.programmable:
            stages += _stages(stage, law, buses)
        else:
            stages.append(stage)
    return replace(design, buses=buses, stages=tuple(stages))


def _stages(stage: Array, law: Law, buses: dict[str, Bus]) -> Iterator[Stage]:
    src = buses[stage.src]
    parts = _parts(stage, law)
    names = [f"{stage.dst}~{number}" for number in range(len(parts))]
    for part, name in zip(parts, names, strict=True):
        # The scale is 1 V a unit, because the curves give volts.
        buses[name] = Bus(name, src.shape, 1.0)
        # f(sign * v) * sign / chord, where x0 is in units of the bus.
        inner = f"({part.sign * (src.scale or 1.0)!r}*x0)"
        expr = f"{part.sign / part.chord!r}*({law.exprs(inner)[part.curve]})"
        lanes = (lanewise(np.arange(src.width)),)
        yield Lanes(name, (stage.src,), name, lanes, expr, _BEND)
    whole = names[0]
    if len(parts) > 1:
        whole = f"{stage.dst}~"
        buses[whole] = Bus(whole, (1, len(parts) * src.width), 1.0)
        yield Rename(whole, tuple(names), whole, ints(np.arange(len(parts) * src.width)))
    crossbars = [
        _crossbar(crossbar, law, part, number * src.width)
        for crossbar in stage.crossbars
        for number, part in enumerate(parts)
    ]
    yield replace(stage, src=whole, crossbars=tuple(crossbars))


def _bounds(design: Design) -> dict[str, float]:
    """Return the largest volts of each bus, by its limiter or its sources, or infinity."""
    bounds: dict[str, float] = {}
    for name in design.inputs:
        limit = design.buses[name].limit
        bounds[name] = np.inf if limit is None else limit
    for stage in design.stages:
        limit = design.buses[stage.dst].limit
        most = max(bounds[src] for src in stage.srcs)
        if limit is not None:
            most = limit
        elif isinstance(stage, Array) and not stage.programmable:
            siemens = sum(amplifier.loads(stage.crossbars, len(stage.r_f)).values())
            most *= float((stage.r_f * siemens).max())
        elif not (isinstance(stage, Rename) or (isinstance(stage, Lanes) and stage.keeps_scale)):
            most = np.inf
        bounds[stage.dst] = most
    return bounds


def _check_reach(design: Design, law: Law) -> None:
    low, high = law.reach
    reach = min(-low, high)
    if np.isinf(reach):
        return
    bounds, faults = _bounds(design), []
    for stage in (array for array in design.arrays if array.programmable):
        most = max(bounds[stage.src], abs(stage.v_bias))
        if most > reach * (1 + 1e-6):
            what = f"measured from {low:g} to {high:g} V, and {stage.name} may see {most:g} V"
            hint = "measure further, or limit the volts"
            faults.append(Fault("bad-target", "device.iv_csv", what, hint))
    if faults:
        raise MemxcError(faults)


def _parts(stage: Array, law: Law) -> list[_CurvePart]:
    back = any((crossbar.sign < 0).any() for crossbar in stage.crossbars)
    signs = [1, -1] if back and not law.odd else [1]
    volts = stage.v_bias or 1.0
    return [
        _CurvePart(curve, sign, float(chord) / (sign * volts))
        for sign in signs
        for curve, chord in enumerate(law.curves(np.array(sign * volts)))
    ]


def _crossbar(crossbar: Crossbar, law: Law, part: _CurvePart, first: int) -> Crossbar:
    """Return the cells of one curve; they read their own part of the bus, from lane `first` on."""
    rows = np.ones(crossbar.word_lines, bool) if law.odd else crossbar.sign == part.sign
    cell = np.where(rows[:, None], crossbar.cell, -1)
    g = law.shares(crossbar.g)[part.curve] * part.chord
    frame = crossbar.taps.frame
    taps = replace(crossbar.taps, frame=ints(np.where(frame >= 0, frame + first, frame)))
    return replace(crossbar, g=g, cell=ints(cell), taps=taps)
