"""The parts of a netlist: definitions, instances, and what its head asks of a test bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from memxc.netlist_reader.cards import Card
from memxc.netlist_reader.devices import Devices

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
    """A supply that the head asks a test bench for: a net and its volts, as written."""

    name: str
    volts: str
    file: str
    line: int


class Shared(NamedTuple):
    """A `.model` or `.param` outside of all definitions, which all of them may use."""

    text: str
    file: str
    line: int


class Port(NamedTuple):
    """What the head says about an input or an output, or about some of its lanes.

    name: `input 1, lanes 0 to 4`. nets: `n0_0 to n0_4`. volts: the volts of a unit, and where they
    are clipped. All are as written.
    """

    name: str
    nets: str
    volts: str
    file: str
    line: int


@dataclass(frozen=True, eq=False)
class Definition:
    """A `.subckt`: its ports, its plain devices, and every other card of its body."""

    name: str
    ports: tuple[str, ...]
    params: Parameters
    devices: Devices
    others: tuple[Card, ...]
    file: str
    line: int

    @property
    def text(self) -> str:
        """The definition for an engine, written anew from what was read.

        It has one card a line and no comments, so that no engine reads anything in it that was not
        read here.
        """
        head = " ".join([self.name, *self.ports, *(f"{k}={v}" for k, v in self.params)])
        others = "".join(f"{card.text}\n" for card in self.others)
        return f".subckt {head}\n{self.devices.written()}{others}.ends {self.name}\n"
