"""Converters of a target: lanes that put signals on the levels of so many bits.

A DAC stands before the word lines, an ADC behind the amplifiers, at the network's edges or at every
array. A converter of n bits over low .. high volts rounds half to even and clips at its range:

    out                     ___ high       step = (high - low) / (2**n - 1)
                         __|               out  = step * clip(round(in / step), least, most)
                      __|     0 V          0 V is always a level, so padding stays 0.
                   __|
        low ______|              in
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from memxc.ir import expr
from memxc.ir.design import Bus, Design
from memxc.ir.stages import Array, Circuit, Digital, Lanes, Rename, Stage
from memxc.ir.windows import lanewise
from memxc.target import Target

_DAC, _ADC = Circuit("line_dac", converters=1), Circuit("line_adc", converters=1)


@dataclass(frozen=True)
class _Range:
    """Number of bits, and the ends of the range in volts if the target gives them."""

    bits: int
    low: float | None
    high: float | None


def converted(design: Design, target: Target) -> Design:
    """Return the programmed design with the target's converters; it loses those it had before."""
    converter = target.converter
    design = _without(design)
    dac = _Range(converter.dac_bits, converter.dac_min_v, converter.dac_max_v)
    adc = _Range(converter.adc_bits, converter.adc_min_v, converter.adc_max_v)
    if not converter.needed:
        return design
    placed = _Converters(design, target, dac, adc)
    stages: list[Stage] = []
    for stage in design.stages:
        stages += placed.around(stage)
    return replace(design, buses=placed.buses, stages=tuple(stages))


def is_one(stage: Stage) -> bool:
    """Return whether a stage is a converter of a target."""
    return isinstance(stage, Lanes) and stage.circuit in (_DAC, _ADC)


class _Converters:
    """The buses of the design while converters are added to it."""

    def __init__(self, design: Design, target: Target, dac: _Range, adc: _Range) -> None:
        self.design, self.dac, self.adc = design, dac, adc
        self.everywhere = target.converter.where == "stages"
        self.volts = target.device.read_voltage_v
        self.buses = dict(design.buses)
        self.dacs: dict[str, str] = {}
        digital = {
            src
            for stage in design.stages
            if isinstance(stage, Digital) and stage.subgraph is None
            for src in stage.srcs
        }
        self.edge = {*digital, *design.outputs}
        self.adcs: dict[str, str] = {}
        self.positive: dict[str, bool] = {}

    def around(self, stage: Stage) -> list[Stage]:
        """Return the stage with the converters before it and behind it."""
        if isinstance(stage, Digital) and stage.subgraph is not None:
            return self._around_island(stage)
        before, changed = self._before(stage)
        self.positive[stage.dst] = _positive(stage, self.positive)
        last = isinstance(stage, Array) if self.everywhere else stage.dst in self.edge
        bus = self.buses[stage.dst]
        if not (last and self.adc.bits) or bus.scale is None:
            return [*before, changed]
        # Readers of the bus get the converted signal; the limiter stays in front of the converter.
        raw = replace(bus, name=self._fresh(f"{bus.name}~raw"))
        self.buses[raw.name] = raw
        self.buses[bus.name] = replace(bus, limit=None)
        changed = replace(changed, dst=raw.name)
        positive = self.positive[stage.dst]
        return [*before, changed, self._lanes(raw, bus.name, positive, self.adc, _ADC)]

    def _before(self, stage: Stage) -> tuple[list[Stage], Stage]:
        new: list[Stage] = []
        if not self.dac.bits or isinstance(stage, Digital):
            return new, stage
        names = {}
        for src in stage.srcs:
            wanted = isinstance(stage, Array) if self.everywhere else src in self.design.inputs
            if wanted and self.buses[src].scale is not None:
                if src not in self.dacs:
                    bus, name = self.buses[src], self._fresh(f"{src}~dac")
                    self.buses[name] = replace(bus, name=name, limit=None)
                    self.dacs[src] = name
                    positive = self.positive.get(src, False)
                    new.append(self._lanes(bus, name, positive, self.dac, _DAC))
                names[src] = self.dacs[src]
        return new, _reading(stage, names)

    def _around_island(self, island: Digital) -> list[Stage]:
        """Return the island with an ADC at each signal that it reads, and a DAC at its output.

        Other readers of these signals get them as they are. With converters at every stage, the
        signals have been converted already.
        """
        before: list[Stage] = []
        names = {}
        for src in island.srcs if self.adc.bits and not self.everywhere else ():
            bus = self.buses[src]
            if bus.scale is None:
                continue
            if src not in self.adcs:
                name = self.adcs[src] = self._fresh(f"{src}~adc")
                self.buses[name] = replace(bus, name=name, limit=None)
                positive = self.positive.get(src, False)
                before.append(self._lanes(bus, name, positive, self.adc, _ADC))
            names[src] = self.adcs[src]
        bus = self.buses[island.dst]
        changed = _reading(island, names)
        if not self.dac.bits or self.everywhere or bus.scale is None:
            return [*before, changed]
        raw = replace(bus, name=self._fresh(f"{bus.name}~raw"))
        self.buses[raw.name] = raw
        self.buses[bus.name] = replace(bus, limit=None)
        behind = self._lanes(raw, bus.name, False, self.dac, _DAC)
        return [*before, replace(changed, dst=raw.name), behind]

    def _fresh(self, name: str) -> str:
        while name in self.buses:
            name += "~"
        return name

    def _lanes(self, src: Bus, dst: str, positive: bool, span: _Range, circuit: Circuit) -> Lanes:
        most = src.limit if src.limit is not None else self.volts
        high = span.high if span.high is not None else most
        low = span.low if span.low is not None else (0.0 if positive else -most)
        text = function(low, high, span.bits, src.scale or 1.0)
        taps = (lanewise(np.arange(src.width)),)
        name = f"{dst}~{circuit.name}"
        return Lanes(name, (src.name,), dst, taps, text, circuit)


def function(low: float, high: float, bits: int, scale: float) -> str:
    """Return the lane function of a converter, in units of activation of `scale` volts each."""
    step = (high - low) / (2**bits - 1)
    least = round(low / step)
    most = least + 2**bits - 1
    unit = step / scale
    return f"{unit!r}*max({least},min({most},round({1 / unit!r}*x0)))"


def _reading(stage: Stage, names: Mapping[str, str]) -> Stage:
    """Return the stage with its sources renamed."""
    if not names:
        return stage
    if isinstance(stage, Lanes | Rename | Digital):
        return replace(stage, srcs=tuple(names.get(src, src) for src in stage.srcs))
    return replace(stage, src=names.get(stage.src, stage.src))


def _without(design: Design) -> Design:
    """Return the design without its converters, or the design itself if it has none."""
    if not any(map(is_one, design.stages)):
        return design
    buses, names, ends = dict(design.buses), {}, {}
    for stage in design.stages:
        # In front of a reader, the converter's bus is the new one; behind a stage, its source is.
        if is_one(stage) and stage.dst.startswith(f"{stage.srcs[0]}~"):
            names[stage.dst] = stage.srcs[0]
            del buses[stage.dst]
        elif is_one(stage):
            ends[stage.srcs[0]] = stage.dst
            buses[stage.dst] = replace(buses.pop(stage.srcs[0]), name=stage.dst)
    stages = [
        replace(_reading(stage, names), dst=ends.get(stage.dst, stage.dst))
        for stage in design.stages
        if not is_one(stage)
    ]
    return replace(design, buses=buses, stages=tuple(stages))


def _positive(stage: Stage, known: Mapping[str, bool]) -> bool:
    """Return whether a stage never drives its bus below 0.

    It decides by the form of the lane function; True is certain, False is not.
    """
    if isinstance(stage, Rename):
        return all(known.get(src, False) for src in stage.srcs)
    if not isinstance(stage, Lanes):
        return False
    lines = [
        known.get(src, False)
        for src, taps in zip(stage.srcs, stage.taps, strict=True)
        for _ in range(taps.lines)
    ]

    def positive(tree: ast.expr) -> bool:
        match tree:
            case ast.Constant(value=int() | float() as number):
                return number >= 0
            case ast.Name(id=name):
                return lines[int(name[1:])]
            case ast.BinOp(left=left, op=ast.Add() | ast.Mult(), right=right):
                # A sigmoid contains a tanh, so its parts alone would not show that it is positive.
                return expr.is_sigmoid(tree) or (positive(left) and positive(right))
            case ast.Call(func=ast.Name(id="max" | "min" as name), args=args):
                return (any if name == "max" else all)(map(positive, args))
            case ast.Call(func=ast.Name(id=name)):
                return name in ("abs", "exp", "sqrt")
        return False

    return positive(expr.parse(stage.expr))
