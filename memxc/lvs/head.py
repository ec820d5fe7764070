"""The head of the top file: what a test bench is to drive and to read, which nothing else in the
netlist says."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from memxc.ir.design import Design
from memxc.ir.kernel import BIAS
from memxc.ir.stages import Array, Digital, Wires
from memxc.lvs.difference import Difference
from memxc.lvs.expected import bus_nets
from memxc.netread import NUMBER, Netlist


def differences(design: Design, netlist: Netlist) -> Iterator[Difference]:
    """Supplies, inputs and outputs that are not as the design has them."""
    yield from _supplies(design, netlist)
    yield from _ports(design, netlist)


def _supplies(design: Design, netlist: Netlist) -> Iterator[Difference]:
    wanted = _wanted_supplies(design)
    for each in netlist.supplies:
        where = f"supply {each.name}"
        volts = wanted.pop(each.name, None)
        want = "no (second) supply" if volts is None else f"{volts:.9e} V"
        plain = NUMBER.fullmatch(each.volts)
        if volts is None or not plain or float(each.volts) != float(f"{volts:.9e}"):
            yield Difference(each.file, each.line, where, want, f"{each.volts} V")
    for name, volts in wanted.items():
        yield Difference(netlist.file, 0, f"supply {name}", f"{volts:.9e} V", "missing")


def _wanted_supplies(design: Design) -> dict[str, float]:
    """Volts of every bias supply, by its net."""
    found: dict[str, float] = {}
    for s, stage in enumerate(design.stages):
        if isinstance(stage, Array) and any((c.line == BIAS).any() for c in stage.crossbars):
            found |= {f"vbias{s}": stage.v_bias, f"vbiasn{s}": -stage.v_bias}
    return found


def _ports(design: Design, netlist: Netlist) -> Iterator[Difference]:
    wanted = dict(_wanted_ports(design))
    for each in netlist.ports:
        nets, volts = wanted.pop(each.name, ("", ""))
        if not nets:
            want, have = "no (second) such line", f"{each.nets}, {each.volts}"
            yield Difference(each.file, each.line, each.name, want, have)
            continue
        if each.nets != nets:
            yield Difference(each.file, each.line, f"{each.name} nets", nets, each.nets)
        if NUMBER.sub(lambda word: f"{float(word[0]):.9e}", each.volts) != volts:
            yield Difference(each.file, each.line, f"{each.name} volts", volts, each.volts)
    for name, (nets, volts) in wanted.items():
        yield Difference(netlist.file, 0, name, f"{nets}, {volts}", "missing")


def _wanted_ports(design: Design) -> Iterator[tuple[str, tuple[str, str]]]:
    """What is read of each input and output: its lanes as far as their nets follow each other, as
    (name, (nets, volts)). One that stays digital has no nets."""
    number = {name: b for b, name in enumerate(design.buses)}
    for kind, buses in (("input", design.inputs), ("output", design.outputs)):
        for count, name in enumerate(buses, 1):
            if _digital(design, name):
                continue
            bus, nets = design.buses[name], bus_nets(design, number, name)
            volts = f"{bus.scale or 1.0:.9e} v a unit"
            if kind == "input" and bus.limit is not None:
                volts += f", clipped at {bus.limit:.9e} v"
            parts = [i for i in range(1, len(nets)) if nets[i] != _next(nets[i - 1])]
            for first, end in pairwise([0, *parts, len(nets)]):
                lanes = f"{kind} {count}, lanes {first} to {end - 1}"
                yield lanes, (f"{nets[first]} to {nets[end - 1]}", volts)


def _next(net: str) -> str:
    """The net of the next lane of the same bus; "" behind ground, which is no lane."""
    bus, _, lane = net.partition("_")
    return f"{bus}_{int(lane) + 1}" if lane else ""


def _digital(design: Design, bus: str) -> bool:
    stage = design.driver(bus)
    if isinstance(stage, Wires):
        return any(_digital(design, src) for src in stage.srcs)
    return isinstance(stage, Digital)
