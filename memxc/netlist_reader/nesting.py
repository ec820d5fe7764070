"""What definitions place in each other: each is there, none places itself, and none unfolds to
more than an engine can hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from memxc.errors import Fault
from memxc.netlist_reader.cards import Card, parameters
from memxc.netlist_reader.parts import Definition

#: Cards of a cell with all that it places; the cell of an amplifier has some ten.
_MOST = 100_000


def faults(definitions: Mapping[str, Definition]) -> Iterator[Fault]:
    """What is wrong with the X cards inside the definitions of a netlist."""
    placed: dict[str, list[str]] = {}
    for found in definitions.values():
        cells = []
        for card in found.others:
            if card.text[0] != "x":
                continue
            cell = _cell(card)
            if cell in definitions:
                cells.append(cell)
            else:
                where = f"{found.file}:{card.line}"
                yield Fault("bad-design", where, f"{found.name} places {cell or 'no cell'}, which "
                            "no file of the netlist defines")  # fmt: skip
        placed[found.name] = cells
    try:
        order = list(TopologicalSorter(placed).static_order())
    except CycleError as error:
        names = error.args[1]
        found = definitions[names[0]]
        what = f"{found.name} places itself, by way of {', '.join(names[:-1][:5])}"
        yield Fault("bad-design", f"{found.file}:{found.line}", what)
        return
    size: dict[str, int] = {}
    for name in order:
        found = definitions[name]
        size[name] = len(found.others) + sum(size[cell] for cell in placed[name])
        if placed[name] and size[name] > _MOST:
            what = f"{name} unfolds to more than {_MOST:,} cards"
            yield Fault("bad-design", f"{found.file}:{found.line}", what)
            return


def _cell(card: Card) -> str:
    """What an X card places; "" where it cannot be read."""
    try:
        words = parameters(card.text)[0].split()
    except ValueError:
        return ""
    return words[-1] if len(words) > 2 else ""
