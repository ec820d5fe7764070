"""What a netlist is made of: definitions, placed instances, and the supplies it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from memxc.netread.cards import Card
from memxc.netread.devices import Devices

#: Parameters in order, as (name, text).
Parameters = tuple[tuple[str, str], ...]


class Instance(NamedTuple):
    """An `X` card: its nodes, the cell, and its parameters as written."""

    name: str
    nodes: tuple[str, ...]
    cell: str
    params: Parameters
    file: str
    line: int


class Supply(NamedTuple):
    """What the head says that a test bench puts on a net: volts as written."""

    name: str
    volts: str
    file: str
    line: int


@dataclass(frozen=True, eq=False)
class Definition:
    """A `.subckt`: its ports, its plain resistors, and every other card of its body."""

    name: str
    ports: tuple[str, ...]
    params: Parameters
    devices: Devices
    others: tuple[Card, ...]
    file: str
    line: int
