"""Cells of the user's own in the place of memxc's: which take part, and whether they fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from memxc.errors import Fault, MemxcError, like
from memxc.netlist_reader import Cells, parameters

_HEAD = re.compile(r"^\.subckt (\S+)(.*)$", re.M)


def with_own(text: str, own: Cells) -> str:
    """The periphery's text with each cell of the user's in the place of memxc's of the same name.

    text: memxc's cells, from .subckt to .ends. What the user's cells place and use stands before
    them. Everything is written anew from what was read: a card a line, without comments.

    Raises MemxcError (bad-cells) with each cell that does not fit, or that nothing places.
    """
    heads = {found[1]: found[2].split() for found in _HEAD.finditer(text)}
    faults = list(_faults(heads, own))
    if faults:
        raise MemxcError(faults)
    helpers = [cell for name, cell in own.definitions.items() if name not in heads]
    parts = [*(f"{each.text}\n" for each in own.shared), *(cell.text for cell in helpers)]
    for name in heads:
        if name in own.definitions:
            # With the comments in front, which speak of memxc's cell.
            word = re.escape(name)
            pattern = rf"(?:^\*[^\n]*\n)*^\.subckt {word} .*?^\.ends {word}$\n"
            # The reader lets no backslash in, which would mean something to re.sub.
            mine = f"* {name}: a cell of the user's own\n{own.definitions[name].text}"
            text = re.sub(pattern, mine, text, flags=re.M | re.S)
    return "".join(parts) + text


def _faults(heads: Mapping[str, list[str]], own: Cells) -> Iterator[Fault]:
    used = _placed(heads, own)
    for name, cell in own.definitions.items():
        where = f"{own.folder}/{cell.file}:{cell.line}"
        if re.fullmatch(r"xb\d+", name):
            yield Fault("bad-cells", where, f"{name} is the name of a crossbar")
        elif name not in used:
            what = f"this netlist has no cell {name}"
            hint = f"{like(name, heads)} its cells are {', '.join(sorted(heads))}".strip()
            yield Fault("bad-cells", where, what, hint)
        elif name in heads:
            yield from _misfits(where, name, heads[name], cell.ports, [k for k, _ in cell.params])


def _placed(heads: Iterable[str], own: Cells) -> set[str]:
    """The cells of the user's that are memxc's by name, and all that these place."""
    left, used = [name for name in heads if name in own.definitions], set[str]()
    while left:
        name = left.pop()
        used.add(name)
        cell = own.definitions[name]
        placed = {cell.devices.cell}
        placed |= {
            parameters(card.text)[0].split()[-1] for card in cell.others if card.text[0] == "x"
        }
        left += (placed & own.definitions.keys()) - used
    return used


def _misfits(
    where: str, name: str, head: list[str], ports: tuple[str, ...], params: list[str]
) -> Iterator[Fault]:
    wanted = tuple(word for word in head if "=" not in word)
    if ports != wanted:
        what = f"{name} has the ports {' '.join(ports)}, wanted are {' '.join(wanted)}"
        yield Fault("bad-cells", where, what)
    missing = [key for key, equals, _ in (word.partition("=") for word in head) if equals]
    missing = [key for key in missing if key not in params]
    if missing:
        yield Fault("bad-cells", where, f"{name} lacks the parameter {', '.join(missing)}")
