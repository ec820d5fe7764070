"""write: a Deck becomes netlist files.

A dialect is a jinja2 template. Crossbar definitions are large, so `body` writes them as bytes. All
cards are written as ngspice reads them, and `dialects` translates them for another language.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from memxc import dialects, render
from memxc.backends.netlist import body, memristor
from memxc.backends.netlist.assemble import assemble
from memxc.backends.netlist.names import safe
from memxc.backends.netlist.own_cells import with_own
from memxc.errors import fail
from memxc.ir.deck import Deck, Instances, Terminal
from memxc.ir.design import Design
from memxc.netlist_reader import Cells
from memxc.target import Device


def write(
    design: Design,
    folder: Path,
    name: str,
    dialect: str = "ngspice",
    device: Device | None = None,
    own: Cells | None = None,
) -> list[Path]:
    """Write the netlist of a programmed design to `folder`; return its files, the top one first.

    device: the memristors' device, for its I-V law; None means linear memristors.

    Raises OSError if a file cannot be written, and MemxcError (bad-cells) for a cell that the
    dialect cannot hold.
    """
    cell = memristor.name(device)
    deck = assemble(design, cell)
    deck.verify()
    suffix = render.dialects()[dialect]
    cells = folder / "cells"
    cells.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{safe(name, 64)}.{suffix}", cells / f"periphery.{suffix}"]
    text = periphery(deck)
    if cell and device is not None:
        text += memristor.definition(device)
    done = _in_dialect(dialect, text if own is None else with_own(text, own))
    files[1].write_text(done.text, "ascii")
    modules = [cells / "periphery.va"] if done.modules else []
    for path in modules:
        path.write_text(done.modules, "ascii")
    for part in deck.parts:
        if part.grids:
            path = cells / f"{part.name}.{suffix}"
            files.append(path)
            with path.open("wb") as file:
                file.write(_lines(dialect, f"* crossbar definitions of {part.name}\n".encode()))
                for grids in part.grids:
                    file.writelines(_lines(dialect, each) for each in body.definitions(grids))
    with files[0].open("w", encoding="ascii", newline="\n") as file:
        values = {"title": safe(name, 64), "supplies": deck.supplies}
        values["includes"] = [path.relative_to(folder).as_posix() for path in files[1:]]
        values["modules"] = [path.relative_to(folder).as_posix() for path in modules]
        file.write(render.netlist(dialect, **values, ports=list(ports(deck))))
        for part in deck.parts:
            file.write(_in_dialect(dialect, f"* {part.name}\n").text)
            for group in part.instances:
                for line in instance_lines(deck, group):
                    file.write(_in_dialect(dialect, line).text)
    return files + modules


def _lines(dialect: str, cards: bytes) -> bytes:
    return (
        cards if dialects.is_spice(dialect) else _in_dialect(dialect, cards.decode()).text.encode()
    )


def _in_dialect(dialect: str, cards: str) -> dialects.Translated:
    """Return cards in a dialect. Raises MemxcError (bad-cells) for a card that it does not have."""
    if dialects.is_spice(dialect):
        return dialects.Translated(cards, "")
    try:
        return dialects.translate(dialect, cards)
    except ValueError as error:
        raise fail("bad-cells", f"--dialect {dialect}", str(error)) from error


def ports(deck: Deck) -> Iterator[tuple[str, int, int, str, str, Terminal]]:
    """Yield the ports of a network in runs of neighbouring lanes and nets.

    Each run is (title, first lane, last lane, first net, last net, port); the title is "input 1" or
    alike, and those of islands follow.
    """
    every = [(f"input {number}", port) for number, port in enumerate(deck.inputs, 1) if port]
    every += [
        (f"output {number}", port)
        for number, ports_of_output in enumerate(deck.outputs, 1)
        for port in ports_of_output
    ]
    every += deck.borders
    for title, port in every:
        names = [deck.nets[net] for net in port.nets]
        bus = [name.partition("_")[0] for name in names]
        parts = [
            lane
            for lane in range(1, len(names))
            if bus[lane] != bus[lane - 1] or port.nets[lane] != port.nets[lane - 1] + 1
        ]
        for first, end in pairwise([0, *parts, len(names)]):
            yield title, first, end - 1, names[first], names[end - 1], port


def periphery(deck: Deck) -> str:
    """Return the definitions of all periphery cells that the deck uses."""
    return "".join(
        render.cell(cell.template, subckt=cell.name, **dict(cell.values)) for cell in deck.cells
    )


def instance_lines(deck: Deck, group: Instances) -> Iterator[str]:
    """Yield an X card for each instance, with its parameters."""
    for i, (name, nets, cell) in enumerate(zip(group.names, group.nets, group.cells, strict=True)):
        words = [*(deck.nets[net] for net in nets), cell]
        words += [f"{key}={values[i]:.9e}" for key, values in group.params]
        yield name + "".join(body.wrapped(words)) + "\n"
