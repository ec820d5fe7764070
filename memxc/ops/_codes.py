"""Codes of quantised networks: their ranges, and the converters between codes and real numbers.

A bus of codes carries integers in units of activation. One net stands for all bits of a code: an
analog-to-digital converter drives it, and a digital-to-analog converter reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from memxc.ir.design import Bus
from memxc.ir.graph import Tensor
from memxc.ir.kinds import bits, code_range
from memxc.ir.stages import Circuit, Lanes, Rename
from memxc.ir.windows import Ints, ints, lanewise
from memxc.ops._call import Call, Parts, lanes

ADC = Circuit("adc", converters=1)
DAC = Circuit("dac", converters=1)
#: A scale and a zero point.
Setting = tuple[float, int]
LaneFunction = Callable[[float, int], str]
#: Bits of the widest converter of a quantised network. Wider integers stay analog.
MOST_BITS = 16
#: Each pair of scale and zero point takes a cell in the netlist: at most so many.
_MOST_STEPS = 4096


def coded(call: Call, value: str, zero: int, kind: str) -> str:
    """Return the lane function of an ADC: `value` is rounded half to even, shifted and clipped.

    Raises MemxcError (unsupported-op) if there is no converter for this type.
    """
    if not 2 <= bits(kind) <= MOST_BITS:
        raise call.refuse(f"codes of the type {kind or 'float'}", code="unsupported-op")
    low, high = code_range(kind)
    return f"min(max(round({value})+{zero},{low}),{high})"


def shifted(zero: int) -> str:
    """Return the lane function that subtracts a zero point from a code."""
    return f"x0-{zero}" if zero else "x0"


def from_codes(call: Call, index: int, zero: int) -> tuple[Bus, Lanes]:
    """Return converters from the codes of an input to numbers that are 0 at the zero point."""
    bus = Bus(call.fresh("dac"), call.shape_of(index))
    taps = lanewise(call.nets(index).reshape(-1))
    lane = Lanes(f"{call.name}/dac", (call.bus(index),), bus.name, (taps,), shifted(zero), DAC)
    return bus, lane


def one_each(
    call: Call, settings: Sequence[Setting], which: Ints, expr: LaneFunction, circuit: Circuit
) -> Parts:
    """Return stages that apply to each element the function of its own scale and zero point.

    settings: the different pairs of scale and zero point.
    which: the number of its pair for each element.

    Elements with one setting are one stage. Several stages are joined by wires.
    """
    src, functions = call.bus(0), [expr(*setting) for setting in settings]
    if len(functions) == 1:
        nets = lanewise(lanes(call.shape).reshape(-1))
        return [Lanes(call.name, (src,), call.dst, (nets,), functions[0], circuit)]
    if len(functions) > _MOST_STEPS:
        what = f"{len(functions):,} different scales and zero points"
        raise call.refuse(what, "quantise activations per tensor", "unsupported-shape")
    order = ints(np.argsort(which.reshape(-1), kind="stable"))
    ends = np.cumsum(np.bincount(which.reshape(-1), minlength=len(functions)))
    parts: list[Bus | Lanes | Rename] = []
    for number, elements in enumerate(np.split(order, ends[:-1])):
        bus = Bus(call.fresh(str(number)), (len(elements),))
        taps = (lanewise(elements),)
        name = f"{call.name}/{number}"
        parts += [bus, Lanes(name, (src,), bus.name, taps, functions[number], circuit)]
    index = np.empty_like(order)
    index[order] = np.arange(len(order), dtype=np.int32)
    srcs = tuple(part.name for part in parts if isinstance(part, Bus))
    return [*parts, Rename(call.name, srcs, call.dst, ints(index))]


def scalar(call: Call, index: int, role: str) -> float:
    """Return a constant input that is one number for the whole tensor; 0 if it is absent."""
    if not call.has(index):
        return 0.0
    return float(call.single(call.constant(index, role), role))


def positive_step(call: Call, index: int, role: str = "scale") -> float:
    """Return a scale of one number. Raises MemxcError if it is not a positive number."""
    value = scalar(call, index, role)
    positive(call, np.array(value))
    return value


def positive(call: Call, scale: Tensor) -> None:
    """Raise MemxcError if a scale is not a positive number."""
    with np.errstate(invalid="ignore"):
        good = np.isfinite(scale) & (scale > 0)
    if not good.all():
        bad = float(np.asarray(scale)[~good].reshape(-1)[0])
        raise call.refuse(f"a scale of {bad:g} is not a positive number", code="unsupported-model")
