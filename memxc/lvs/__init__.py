"""lvs: compare the netlist's text with the programmed design, cell by cell and net by net.

mapping.csv and schedule.csv, the tables beside the netlist, are compared, too. The expected content
is derived here from the design and docs/netlist.md alone; nothing of the writer is used. Numbers
are compared exactly, at the printed precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from memxc import netlist_reader
from memxc.ir.design import Design
from memxc.lvs import cells, expected, head, periphery, tables
from memxc.lvs.difference import Difference, UserCell
from memxc.lvs.expected import ExpectedCard
from memxc.netlist_reader import Definition, Instance, Netlist
from memxc.target import Device


@dataclass(frozen=True)
class NetlistComparison:
    """What was compared, and where it differs. The netlist is clean if `differences` is empty.

    user_cells: cells that the design does not define, so that only verify can judge them. rows: of
    the tables; 0 if only the netlist was compared. changed: files that were changed since they were
    compiled.
    """

    differences: tuple[Difference, ...]
    devices: int
    instances: int
    connections: int
    user_cells: tuple[UserCell, ...]
    rows: int = 0
    changed: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def compare_folder(
    design: Design,
    folder: Path,
    device: Device | None = None,
    netlist: Netlist | None = None,
) -> NetlistComparison:
    """Compare the netlist and the tables of an output folder with its design, as `compare` does.

    netlist: if it was read already. Raises MemxcError (bad-design) if a file cannot be read.
    """
    netlist = netlist or netlist_reader.read_folder(folder / "netlist")
    result = _compare(design, netlist, device)
    both = tables.mapping(design, netlist, folder), tables.schedule(design, folder)
    differences = [each for table in both for each in table.differences]
    rows = sum(table.count for table in both)
    return replace(result, differences=(*result.differences, *differences), rows=rows)


def compare(design: Design, top: Path, device: Device | None = None) -> NetlistComparison:
    """Compare the netlist of a top file with a programmed design.

    device: the memristors; None for linear ones, which are resistors.
    """
    return _compare(design, netlist_reader.read(top), device)


def _compare(design: Design, netlist: Netlist, device: Device | None) -> NetlistComparison:
    memristor = "" if device is None or device.iv == "linear" else "memristor"
    differences = [_not(part, "once", "a second time") for part in netlist.twice]
    differences += head.differences(design, netlist)
    devices, placed = 0, set[str]()
    for stage in design.arrays:
        for crossbar in stage.crossbars:
            cell = memristor if stage.programmable else ""
            placed |= {cell} - {""}
            differences += cells.differences(crossbar, netlist, cell)
            devices += int(crossbar.present.sum())
    unexpected = set(netlist.instances)
    instances = connections = 0
    lanes = periphery.lane_cells(design, netlist)
    for card in expected.expected_cards(design, lanes):
        unexpected.discard(card.name)
        placed.add(card.cell)
        instances += 1
        connections += len(card.nodes)
        differences += _instance(card, netlist)
    wrong, user_cells = periphery.compare(design, netlist, device, placed, lanes)
    differences += wrong
    extra = [netlist.instances[name] for name in sorted(unexpected)]
    differences += [_not(part, "no such instance", "placed") for part in extra]
    return NetlistComparison(
        tuple(dict.fromkeys(differences)), devices, instances, connections, tuple(user_cells)
    )


def _not(part: Instance | Definition, expected: str, found: str) -> Difference:
    return Difference(part.file, part.line, part.name, expected, found)


def _instance(card: ExpectedCard, netlist: Netlist) -> Iterator[Difference]:
    instance = netlist.instances.get(card.name)
    if instance is None:
        yield Difference(netlist.file, 0, card.name, f"an instance of {card.cell}", "missing")
        return
    for what, want, have in _disagreements(card, instance):
        yield Difference(instance.file, instance.line, f"{card.name} {what}", want, have)


def _disagreements(card: ExpectedCard, instance: Instance) -> Iterable[tuple[str, str, str]]:
    if card.cell != instance.cell:
        yield "cell", card.cell, instance.cell
    if len(card.nodes) != len(instance.nodes):
        yield "nodes", str(len(card.nodes)), str(len(instance.nodes))
    elif card.nodes != instance.nodes:
        for i, (want, have) in enumerate(zip(card.nodes, instance.nodes, strict=True)):
            if want != have:
                yield card.port(i), want, have
    if card.params != instance.params and _values(card.params) != _values(instance.params):
        yield "parameters", _words(card.params), _words(instance.params)


def _values(params: tuple[tuple[str, str], ...]) -> list[tuple[str, float | str]]:
    """Return parameters in one order, with numbers as values, however they are written."""
    values = [(k, float(v) if netlist_reader.NUMBER.fullmatch(v) else v) for k, v in params]
    return sorted(values, key=str)


def _words(params: tuple[tuple[str, str], ...]) -> str:
    return " ".join(f"{key}={value}" for key, value in params) or "none"


__all__ = ["Difference", "NetlistComparison", "UserCell", "compare", "compare_folder"]
