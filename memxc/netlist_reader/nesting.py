"""The nesting of definitions: each cell exists, none contains itself, none expands too far.

A few lines could otherwise expand to more than an engine can hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from memxc.errors import Fault
from memxc.netlist_reader.cards import Card, parameters
from memxc.netlist_reader.parts import Definition

#: Most cards of a cell with all cells inside it; the cell of an amplifier has about ten.
_MOST = 100_000


def faults(definitions: Mapping[str, Definition], known: Collection[str] = ()) -> Iterator[Fault]:
    """Yield the faults of the X cards inside the definitions of a netlist.

    known: names of cells that need no definition.
    """
    placed: dict[str, list[str]] = {}
    for definition in definitions.values():
        cells = []
        for card in definition.others:
            if card.text[0] != "x":
                continue
            cell = _cell(card)
            if cell in definitions:
                cells.append(cell)
            elif cell not in known:
                where = f"{definition.file}:{card.line}"
                what = f"places {cell or 'no cell'}, which no file of the netlist defines"
                yield Fault("bad-design", where, f"{definition.name} {what}")
        placed[definition.name] = cells
    try:
        order = list(TopologicalSorter(placed).static_order())
    except CycleError as error:
        names = error.args[1]
        definition = definitions[names[0]]
        what = f"{definition.name} places itself, by way of {', '.join(names[:-1][:5])}"
        yield Fault("bad-design", f"{definition.file}:{definition.line}", what)
        return
    size: dict[str, int] = {}
    for name in order:
        definition = definitions[name]
        size[name] = len(definition.others) + sum(size[cell] for cell in placed[name])
        if placed[name] and size[name] > _MOST:
            what = f"{name} unfolds to more than {_MOST:,} cards"
            yield Fault("bad-design", f"{definition.file}:{definition.line}", what)
            return


def _cell(card: Card) -> str:
    """Return the cell that an X card is an instance of; "" if the card cannot be read."""
    try:
        words = parameters(card.text)[0].split()
    except ValueError:
        return ""
    return words[-1] if len(words) > 2 else ""
