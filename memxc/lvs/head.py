"""The head of the top file: what a test bench is to drive and to read, which nothing else in the
netlist says."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from memxc.ir.design import Design
from memxc.ir.kernel import BIAS
from memxc.ir.stages import Array, Digital, Rename
from memxc.lvs.difference import Difference
from memxc.lvs.expected import bus_nets
from memxc.netlist_reader import NUMBER, Netlist


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
    # An output of two digital inputs has lines of the same name for each.
    wanted = defaultdict[str, list[tuple[str, str]]](list)
    for name, nets, volts in _wanted_ports(design):
        wanted[name].append((nets, volts))
    for each in netlist.ports:
        if not wanted[each.name]:
            want, have = "no (second) such line", f"{each.nets}, {each.volts}"
            yield Difference(each.file, each.line, each.name, want, have)
            continue
        nets, volts = wanted[each.name].pop(0)
        if each.nets != nets:
            yield Difference(each.file, each.line, f"{each.name} nets", nets, each.nets)
        told, *before = each.volts.split(", before ")
        told = NUMBER.sub(lambda word: f"{float(word[0]):.9e}", told)
        if ", before ".join([told, *before]) != volts:
            yield Difference(each.file, each.line, f"{each.name} volts", volts, each.volts)
    for name, lines in wanted.items():
        for nets, volts in lines:
            yield Difference(netlist.file, 0, name, f"{nets}, {volts}", "missing")


def _wanted_ports(design: Design) -> Iterator[tuple[str, str, str]]:
    """What is driven of each input and read of each output: its lanes as far as their nets follow
    each other, as (name, nets, volts)."""
    for count, name in enumerate(design.inputs, 1):
        limit = design.buses[name].limit
        more = "" if limit is None else f", clipped at {limit:.9e} v"
        yield from _lines(design, f"input {count}", name, more)
    for count, name in enumerate(design.outputs, 1):
        for bus, before in _analog(design, name):
            more = f", before {before}" if before else ""
            yield from _lines(design, f"output {count}", bus, more)


def _lines(design: Design, port: str, name: str, more: str) -> Iterator[tuple[str, str, str]]:
    number = {name: b for b, name in enumerate(design.buses)}
    nets = bus_nets(design, number, name)
    volts = f"{design.buses[name].scale or 1.0:.9e} v a unit{more}"
    parts = [i for i in range(1, len(nets)) if nets[i] != _next(nets[i - 1])]
    for first, end in pairwise([0, *parts, len(nets)]):
        lanes = f"{port}, lanes {first} to {end - 1}"
        yield lanes, f"{nets[first]} to {nets[end - 1]}", volts


def _analog(design: Design, bus: str, before: str = "") -> Iterator[tuple[str, str]]:
    """The bus, if it has nets; else the last ones that it is computed from, each with the name of
    the stage that reads it and has no circuit."""
    if not _digital(design, bus):
        yield bus, before
        return
    index = next(i for i, stage in enumerate(design.stages) if stage.dst == bus)
    for src in design.stages[index].srcs:
        yield from _analog(design, src, _word(index, design.stages[index].name))


def _word(index: int, name: str) -> str:
    """A stage as docs/netlist.md names it: its number, and its name in plain letters."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:24].strip("_")
    return f"s{index:02d}_{plain or 'x'}"


def _next(net: str) -> str:
    """The net of the next lane of the same bus; "" behind ground, which is no lane."""
    bus, _, lane = net.partition("_")
    return f"{bus}_{int(lane) + 1}" if lane else ""


def _digital(design: Design, bus: str) -> bool:
    stage = design.driver(bus)
    if isinstance(stage, Rename):
        return any(_digital(design, src) for src in stage.srcs)
    return isinstance(stage, Digital)
