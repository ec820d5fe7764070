"""What a cell is: its ports, its parameters, and the function that it has to compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a cell's subcircuit.

    value: what the bench gives it, in its unit; low, high: the range over which the cell has to
    compute its function.
    """

    name: str
    unit: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Input:
    """How the bench drives a port: with `share` of the bench's volts and `volts`, by a resistor.

    r_ohm: 0 for an input that takes volts, the resistance of the devices for one that takes a
    current. The bench puts the capacitance of a bit line at a port with a resistor.
    """

    port: str
    share: float = 1.0
    r_ohm: float = 0.0
    volts: float = 0.0


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell around the crossbars, at the levels macro and transistor.

    Its files are `templates/cells/<name>/<level>.cir.j2`. All its volts count from mid rail.

    ports: of the subcircuit, in order; the rails are `vdd` and `vss`, and `out` is the output.
    function: ideal output volts (n,) for the bench's volts (n,) and the parameters' values.
    inputs: what the bench drives. low_v, high_v: range of the bench's volts. An op-amp has no
    function and no inputs of this kind, because `op_amp_bench` measures it. accuracy: the largest
    error of a cell that fits, as a share of the span of its ideal output. opamps: how many of them
    the macro has.
    """

    name: str
    summary: str
    ports: tuple[str, ...]
    parameters: tuple[Parameter, ...] = ()
    function: Callable[[Floats, Mapping[str, float]], Floats] | None = None
    inputs: tuple[Input, ...] = ()
    low_v: float = 0.0
    high_v: float = 0.0
    accuracy: float = 0.01
    opamps: int = 1
