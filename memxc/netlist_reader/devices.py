"""The devices of a definition, read as columns of a table: millions of lines in seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from memxc.netlist_reader.cards import NUMBER, Card, cards

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_NAMES = re.compile(rb"(?:r\d{1,9}_\d{1,9} )*")
_NAME = re.compile(rb"r(\d{1,9})_(\d{1,9})")
#: Characters of a device's name and nodes; a card with any other character goes to `others`.
_WORD = r"[a-z0-9_.]+"
_PLAIN = b"abcdefghijklmnopqrstuvwxyz0123456789_.+- \t\n"
_DEVICE = re.compile(rf"(r{_WORD})\s+({_WORD})\s+({_WORD})\s+({NUMBER.pattern})")
#: An instance of a cell with the ohms as its parameter, instead of a resistor.
_CELL = re.compile(
    rf"^x(\d+_\d+)[ \t]+({_WORD})[ \t]+({_WORD})[ \t]+({_WORD})"
    rf"[ \t]+r[ \t]*=[ \t]*({NUMBER.pattern})$".encode(),
    re.M,
)


@dataclass(frozen=True, eq=False)
class Devices:
    """The devices of a definition, one a line; every vector is (n,).

    They are resistors `R<row>_<column> node node ohms`, or all are instances
    `X<row>_<column> node node cell r=ohms` of one cell.

    first, second: the two nodes as numbers of the definition's ports, -1 for another node.
    row, column:   the numbers in the name, -1 for a name of another form.
    lines:         their line numbers in the file.
    cell:          the cell that they are instances of, "" for resistors.
    """

    first: Ints
    second: Ints
    row: Ints
    column: Ints
    ohms: Floats
    lines: Ints
    text: bytes
    cell: str = ""

    @cached_property
    def _cards(self) -> list[bytes]:
        return self.text.split(b"\n")

    def words(self, i: int) -> list[str]:
        """Return name, nodes and number of device `i` as written, in lower case."""
        name, *rest = self._cards[i].decode("ascii").split()
        return ["x" + name[1:] if self.cell else name, *rest]

    def written(self) -> str:
        """Return all devices as cards, one a line."""
        if not self.cell:
            return self.text.decode("ascii")
        words = map(self.words, range(len(self.ohms)))
        return "".join(f"{name} {a} {b} {self.cell} r={r}\n" for name, a, b, r in words)


def parse(body: bytes, line: int, ports: tuple[str, ...]) -> tuple[Devices, tuple[Card, ...]]:
    """Return the devices of a definition's body, and every other card in it.

    body: lower case, every line ends with a newline. line: the number of its first line in the
    file.
    """
    first = _CELL.search(body)
    if first is not None and not _DEVICE.match(body.decode("ascii")):
        # Instances of this cell are rewritten as resistors, so that one reader serves both.
        cell = first[4]
        plain_body = _CELL.sub(
            lambda m: b"r" + b" ".join(m.group(1, 2, 3, 5)) if m[4] == cell else m[0], body
        )
        devices, others = _parsed(plain_body, line, ports)
        return replace(devices, cell=cell.decode("ascii")), others
    return _parsed(body, line, ports)


def _parsed(body: bytes, line: int, ports: tuple[str, ...]) -> tuple[Devices, tuple[Card, ...]]:
    count = body.count(b"\n")
    devices = _table(body, np.arange(line, line + count), ports)
    if devices is not None:
        return devices, ()
    plain: list[str] = []
    lines: list[int] = []
    others: list[Card] = []
    for card in cards(body.decode("ascii"), line):
        device = _DEVICE.fullmatch(card.text)
        if device:
            plain.append(" ".join(device.group(1, 2, 3, 4)) + "\n")
            lines.append(card.line)
        else:
            others.append(card)
    devices = _table("".join(plain).encode("ascii"), np.array(lines, np.int64), ports)
    assert devices is not None, "cards picked one by one do not make a table"
    return devices, tuple(others)


def _table(body: bytes, lines: Ints, ports: tuple[str, ...]) -> Devices | None:
    """Return the devices if every line is one and is plainly written, otherwise None."""
    if body.translate(None, _PLAIN) or not _four_words_a_line(body):
        return None
    words = body.split()
    ohms = _numbers(words[3::4])
    if ohms is None:
        return None
    del words[3::4]
    return Devices(*_wiring(b" ".join(words), ports), ohms, lines, body)


def _four_words_a_line(body: bytes) -> bool:
    text = np.frombuffer(b"\n" + body, np.uint8)
    blank = text <= ord(" ")
    starts = np.flatnonzero(blank[:-1] & ~blank[1:]) + 1
    ends = np.flatnonzero(text == ord("\n"))
    if len(starts) != 4 * (len(ends) - 1):
        return False
    name = starts[::4]
    # Every fourth word begins a line, so each line has four words.
    return bool((name == ends[:-1] + 1).all() and (text[name] == ord("r")).all())


def _numbers(words: list[bytes]) -> Floats | None:
    # float() accepts text that is no number in SPICE: nan, 1_0.
    if b"".join(words).translate(None, b"0123456789.e+-"):
        return None
    try:
        return np.fromiter(map(float, words), np.float64, len(words))
    except ValueError:
        return None


@lru_cache(maxsize=8)
def _wiring(words: bytes, ports: tuple[str, ...]) -> tuple[Ints, Ints, Ints, Ints]:
    """Return first, second, row and column.

    They are equal for all blocks of a stack, so the last results are cached.
    """
    table = words.split()
    index = {port.encode("ascii"): i for i, port in enumerate(ports)}
    count = len(table) // 3
    nodes = [np.fromiter(map(index.get, table[k::3], repeat(-1)), np.int64, count) for k in (1, 2)]
    return nodes[0], nodes[1], *_named(table[::3])


def _named(names: list[bytes]) -> tuple[Ints, Ints]:
    text = b" ".join(names)
    if _NAMES.fullmatch(text + b" ") and names:
        numbers = np.array(text.translate(None, b"r").replace(b"_", b" ").split(), dtype="S9")
        pairs = numbers.astype(np.int64).reshape(-1, 2)
    else:
        matches = [_NAME.fullmatch(name) for name in names]
        pairs = np.array([(int(m[1]), int(m[2])) if m else (-1, -1) for m in matches], np.int64)
        pairs = pairs.reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
