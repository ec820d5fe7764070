"""The ports of a circuit: inputs and outputs of the network, and of the islands inside it.

lanes, an argument of every function here, has the nets of each bus with volts, (width,) each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from memxc.backends.netlist.names import stage_id
from memxc.ir.deck import Terminal
from memxc.ir.design import Design
from memxc.ir.stages import Digital
from memxc.ir.windows import Ints

_Lanes = Mapping[str, Ints]


def inputs(design: Design, lanes: _Lanes) -> Iterator[Terminal | None]:
    """Yield the port of each input of the network; None if only islands read it."""
    for name in design.inputs:
        yield _driven(design, lanes, name) if name in lanes else None


def outputs(design: Design, lanes: _Lanes) -> Iterator[tuple[Terminal, ...]]:
    """Yield the ports of each output of the network."""
    for name in design.outputs:
        yield tuple(_read(design, lanes, name, ""))


def islands(design: Design, lanes: _Lanes) -> Iterator[tuple[str, Terminal]]:
    """Yield the ports of the islands with their titles: what each reads, and what it drives."""
    for index, stage in enumerate(design.stages):
        if not isinstance(stage, Digital) or stage.subgraph is None:
            continue
        name = stage_id(design, index)
        for number, src in enumerate(stage.srcs, 1):
            if src in lanes:
                scale = design.buses[src].scale or 1.0
                yield f"output {number} to {name}", Terminal(lanes[src], scale)
        if stage.dst in lanes:
            yield f"input from {name}", _driven(design, lanes, stage.dst)


def _driven(design: Design, lanes: _Lanes, bus: str) -> Terminal:
    """Return the port of a bus that is driven from outside."""
    return Terminal(lanes[bus], design.buses[bus].scale or 1.0, design.buses[bus].limit)


def _read(design: Design, lanes: _Lanes, bus: str, before: str) -> Iterator[Terminal]:
    """Yield the output port of a bus.

    A bus that stays digital has no nets; then the ports are the last analog buses that it is
    computed from. `before` is the digital stage that reads them.
    """
    if bus in lanes:
        yield Terminal(lanes[bus], design.buses[bus].scale or 1.0, before=before)
        return
    for index, stage in enumerate(design.stages):
        if stage.dst == bus:
            for src in stage.srcs:
                yield from _read(design, lanes, src, stage_id(design, index))
