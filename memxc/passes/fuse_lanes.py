"""fuse-lanes: functions of one signal that a model writes as several operators become one lane.

All rules are exact, and no rule adds an amplifier. A constant is y = gain x + shift with one gain
and one shift for all nets. Nothing else reads the bus between two stages that become one.

1. A constant in front of a lane goes into the lane: it is the ratio of two resistors at the summing
   node of the lane's first amplifier, and a resistor from a reference. An exponential has no such
   node, and a lane that uses its signal twice has two, so that they keep the constant in front.
2. A constant behind a lane goes into it if its last block is a multiplier, an adder, a pair, a
   rectifier or a limiter: at its last amplifier or, for a limiter, as other references.
3. A lane of two signals, both of which are functions of the same signal x, becomes one function of
   x with the parts of all of them. A constant that is left between them counts as an adder.

A hard swish, a SiLU or a GELU that an exporter has written out is one lane after this. The circuit
of a product or of a maximum of two signals stays as it is.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from memxc.interfaces import Context, DesignPass, Result
from memxc.ir import expr
from memxc.ir.design import Design
from memxc.ir.stages import Circuit, Lanes, Linear, Stage
from memxc.ir.windows import Windows

#: A constant that stays between two functions: a summing amplifier and an inverter.
_ADDER = Circuit("adder", opamps=2)
#: The longest text of a function that is fused: longer ones are no activations.
_LONGEST = 500


@dataclass(frozen=True)
class FuseLanes(DesignPass):
    """Fuse activations that are written out, and single constants beside lanes, into one lane."""

    name = "fuse-lanes"

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with fewer stages."""
        fusion = _Fusion(design)
        for stage in design.stages:
            fusion.add(stage)
        stages = tuple(fusion.stages.values())
        kept = {*design.inputs, *(stage.dst for stage in stages)}
        buses = {name: bus for name, bus in design.buses.items() if name in kept}
        return Result(replace(design, buses=buses, stages=stages))


@dataclass(frozen=True)
class _Function:
    """A signal as a function of another: expr(x0), of the bus `src`, net by net.

    within: the buses between the two that are not needed any more.
    """

    src: str
    expr: str
    parts: tuple[Circuit, ...]
    within: tuple[str, ...]


class _Fusion:
    """The stages so far, by the bus that each of them drives."""

    def __init__(self, design: Design) -> None:
        self._widths = {name: bus.width for name, bus in design.buses.items()}
        reads = [src for stage in design.stages for src in stage.srcs]
        self._readers = Counter([*reads, *design.outputs])
        self.stages: dict[str, Stage] = {}

    def add(self, stage: Stage) -> None:
        """Add a stage, with what comes before it in it, where the rules allow that."""
        if isinstance(stage, Linear):
            stage = self._behind(stage) or stage
        elif isinstance(stage, Lanes):
            stage = self._joined(self._before(stage))
        self.stages[stage.dst] = stage

    def _behind(self, stage: Linear) -> Lanes | None:
        """Apply rule 2 to a constant: return the lane in front of it, with the constant in it."""
        constant, lane = self._constant(stage), self._private(stage.src)
        if constant is None or not isinstance(lane, Lanes) or not _ends_in_a_sum(lane):
            return None
        del self.stages[lane.dst]
        text = expr.substituted(constant, [lane.expr])
        return replace(lane, name=stage.name, dst=stage.dst, expr=text, keeps_scale=False)

    def _before(self, stage: Lanes) -> Lanes:
        """Apply rule 1: return a lane with the constant in front of it in it."""
        before = self._private(stage.srcs[0]) if len(stage.srcs) == 1 else None
        constant = self._constant(before) if isinstance(before, Linear) else None
        if before is None or constant is None or not _begins_with_a_sum(stage):
            return stage
        del self.stages[before.dst]
        text = expr.substituted(stage.expr, [constant])
        return replace(stage, srcs=before.srcs, expr=text, keeps_scale=False)

    def _joined(self, stage: Lanes) -> Lanes:
        """Apply rule 3: return a lane of two signals as a function of one."""
        netwise = all(map(self._netwise, stage.taps, stage.srcs))
        if len(stage.srcs) != 2 or not netwise or _outermost(stage) != "sum":
            return stage
        left, right = map(self._functions, stage.srcs)
        found = ((one, other) for one in left for other in right if one.src == other.src)
        one, other = next(found, (None, None))
        if one is None or other is None or not (one.within or other.within):
            return stage
        text = expr.substituted(stage.expr, [one.expr, other.expr])
        if len(text) > _LONGEST:
            return stage
        for bus in {*one.within, *other.within}:
            del self.stages[bus]
        circuit = _together((*one.parts, *other.parts, stage.circuit))
        return Lanes(stage.name, (one.src,), stage.dst, stage.taps[:1], text, circuit)

    def _functions(self, bus: str) -> list[_Function]:
        """Return the signal of a bus as functions of the signals before it, itself first."""
        found = [_Function(bus, "x0", (), ())]
        while (stage := self._private(found[-1].src)) is not None:
            last = found[-1]
            if isinstance(stage, Lanes) and self._is_function(stage):
                text, circuit = stage.expr, stage.circuit
            elif (constant := self._constant(stage)) is not None:
                text, circuit = constant, _ADDER
            else:
                break
            composed = expr.substituted(last.expr, [text])
            parts, within = (circuit, *last.parts), (*last.within, stage.dst)
            found.append(_Function(stage.srcs[0], composed, parts, within))
        return found

    def _is_function(self, lane: Lanes) -> bool:
        """Return whether a lane is a function of one signal, net by net."""
        return len(lane.srcs) == 1 and self._netwise(lane.taps[0], lane.srcs[0], lane.dst)

    def _private(self, bus: str) -> Stage | None:
        """Return the stage that drives a bus which nothing else reads."""
        return self.stages.get(bus) if self._readers[bus] == 1 else None

    def _constant(self, stage: Stage) -> str | None:
        """Return a stage y = gain x + shift as a lane function, or None for any other stage."""
        if not isinstance(stage, Linear) or stage.cell != "batchnorm" or len(stage.kernels) != 1:
            return None
        (kernel,) = stage.kernels
        if kernel.weight().shape != (1, 1, 1) or not (
            self._netwise(kernel.taps, stage.src) and self._netwise(kernel.sinks, stage.dst)
        ):
            return None
        gain = kernel.weight().item()
        shift = 0.0 if kernel.bias is None else float(kernel.bias.item())
        text = "x0" if gain == 1 else f"{gain!r}*x0"
        return f"{text}+{shift!r}" if shift else text

    def _netwise(self, taps: Windows, *buses: str) -> bool:
        """Return whether windows read each net of these buses once and in order."""
        widths = {self._widths[bus] for bus in buses}
        if taps.lines != 1 or widths != {taps.places * taps.groups}:
            return False
        return np.array_equal(taps.nets().reshape(-1), np.arange(taps.places * taps.groups))


def _together(parts: tuple[Circuit, ...]) -> Circuit:
    """Return a circuit with all parts, named after what it computes: a hard swish, a product."""
    return Circuit(
        "_".join(part.name for part in parts),
        **{
            count: sum(getattr(part, count) for part in parts)
            for count in ("opamps", "diodes", "multipliers", "inverters", "converters")
        },
    )


def _outermost(lane: Lanes) -> str:
    """Return the kind of a lane's last block, "" for one with no node at which currents add up."""
    if lane.circuit.converters:
        return ""
    match expr.parse(lane.expr):
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult()):
            return "sum"
        case ast.Call(func=ast.Name(id="min" | "max" | "tanh" | "abs" | "exp" | "erf" as name)):
            return name
    return ""


def _ends_in_a_sum(lane: Lanes) -> bool:
    """Return whether rule 2 holds for a lane. A maximum of several signals has no such node."""
    several = sum(taps.lines for taps in lane.taps) > 1
    return _outermost(lane) == "sum" if several else bool(_outermost(lane))


def _begins_with_a_sum(lane: Lanes) -> bool:
    """Return whether rule 1 holds for a lane."""
    tree = expr.parse(lane.expr)
    reads = [part for part in ast.walk(tree) if isinstance(part, ast.Name) and part.id == "x0"]
    exponentials = [
        part for part in ast.walk(tree)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "exp"
    ]  # fmt: skip
    one = sum(taps.lines for taps in lane.taps) == 1
    return one and len(reads) == 1 and not exponentials and not lane.circuit.converters
