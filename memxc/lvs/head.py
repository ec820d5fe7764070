"""The head of the top file: what a test bench has to drive and to read.

Nothing else in the netlist says it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from memxc.ir.design import Design
from memxc.ir.kernel import BIAS
from memxc.ir.stages import Array, Digital
from memxc.lvs.difference import Difference
from memxc.lvs.expected import bus_nets, stage_word
from memxc.netlist_reader import NUMBER, Netlist


def differences(design: Design, netlist: Netlist) -> Iterator[Difference]:
    """Yield supplies, inputs and outputs that differ from the design."""
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
    """Return the volts of every bias supply, by its net."""
    volts: dict[str, float] = {}
    for s, stage in enumerate(design.stages):
        if isinstance(stage, Array) and any((c.line == BIAS).any() for c in stage.crossbars):
            volts |= {f"vbias{s}": stage.v_bias, f"vbiasn{s}": -stage.v_bias}
    return volts


def _ports(design: Design, netlist: Netlist) -> Iterator[Difference]:
    # An output that is computed from two digital inputs has lines of one name for both.
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
    """Yield what is driven at each input and read at each output, as (name, nets, volts).

    A run of lanes with consecutive nets is one item.
    """
    digital = design.digital
    for count, name in enumerate(design.inputs, 1):
        if name not in digital:
            yield from _lines(design, f"input {count}", name, _clipped(design, name))
    for count, name in enumerate(design.outputs, 1):
        for bus, before in _analog(design, digital, name):
            more = f", before {before}" if before else ""
            yield from _lines(design, f"output {count}", bus, more)
    for index, stage in enumerate(design.stages):
        if not isinstance(stage, Digital) or stage.subgraph is None:
            continue
        word = stage_word(index, stage.name)
        for count, src in enumerate(stage.srcs, 1):
            if src not in digital:
                yield from _lines(design, f"output {count} to {word}", src, "")
        if stage.dst not in digital:
            yield from _lines(design, f"input from {word}", stage.dst, _clipped(design, stage.dst))


def _clipped(design: Design, name: str) -> str:
    limit = design.buses[name].limit
    return "" if limit is None else f", clipped at {limit:.9e} v"


def _lines(design: Design, port: str, name: str, more: str) -> Iterator[tuple[str, str, str]]:
    number = {name: b for b, name in enumerate(design.buses)}
    nets = bus_nets(design, number, name)
    volts = f"{design.buses[name].scale or 1.0:.9e} v a unit{more}"
    parts = [i for i in range(1, len(nets)) if nets[i] != _next(nets[i - 1])]
    for first, end in pairwise([0, *parts, len(nets)]):
        lanes = f"{port}, lanes {first} to {end - 1}"
        yield lanes, f"{nets[first]} to {nets[end - 1]}", volts


def _analog(
    design: Design, digital: frozenset[str], bus: str, before: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield the bus if it has nets, otherwise the last buses with nets that it depends on.

    Each comes with the name of the digital stage that reads it.
    """
    if bus not in digital:
        yield bus, before
        return
    for index, stage in enumerate(design.stages):
        for src in stage.srcs if stage.dst == bus else ():
            yield from _analog(design, digital, src, stage_word(index, stage.name))


def _next(net: str) -> str:
    """Return the net of the next lane of the same bus; "" for ground, which is not a lane."""
    bus, _, lane = net.partition("_")
    return f"{bus}_{int(lane) + 1}" if lane else ""
