"""Netlist text -> structure, by a reader that shares nothing with the writer.

Reads what memxc writes and what a person may have made of it: `.include`, `.subckt`, `X` and `R`
cards, `+` continuations, `*` comments. Case does not matter, as in SPICE.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memxc.errors import fail

_RESISTOR = re.compile(rb"^r(\S+)[ \t]+(\S+)[ \t]+(\S+)[ \t]+(\S+)[ \t]*$", re.M)
_INCLUDE = re.compile(r'\.include\s+"?([^"]+?)"?\s*$')


@dataclass(frozen=True, eq=False)
class Definition:
    """A `.subckt`. For a body of resistors between ports: `rows` and `columns` number their nodes
    among the ports, `ohms` are as printed, `names` and `lines` say where they stand. A body of
    anything else has `devices` False."""

    name: str
    ports: tuple[str, ...]
    file: str
    line: int
    devices: bool
    names: tuple[bytes, ...] = ()
    a: NDArray[np.int64] | None = None
    b: NDArray[np.int64] | None = None
    ohms: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Instance:
    """An `X` card: its nodes, the cell, and its parameters as written."""

    name: str
    nodes: tuple[str, ...]
    cell: str
    params: tuple[tuple[str, str], ...]
    line: int


@dataclass(frozen=True, eq=False)
class Netlist:
    """The top file's instances, and every definition it includes."""

    file: str
    instances: dict[str, Instance]
    definitions: dict[str, Definition]
    twice: tuple[str, ...]


def read(top: Path) -> Netlist:
    """The netlist of a top file. Raises MemxcError (bad-design) with file and line."""
    definitions: dict[str, Definition] = {}
    instances: dict[str, Instance] = {}
    twice: list[str] = []
    for line, card in _cards(_bytes(top).decode("latin-1")):
        included = _INCLUDE.match(card)
        if included:
            _include(top, included[1], line, definitions, twice)
        elif card.startswith("x"):
            instance = _instance(card, line, top)
            if instance.name in instances:
                twice.append(instance.name)
            instances[instance.name] = instance
        else:
            raise _broken(top, line, f"no card of a netlist: {card[:40]}")
    return Netlist(top.name, instances, definitions, tuple(twice))


def _include(
    top: Path, name: str, line: int, definitions: dict[str, Definition], twice: list[str]
) -> None:
    path = top.parent / name
    if not path.resolve().is_relative_to(top.parent.resolve()):
        raise _broken(top, line, "includes a file outside the netlist folder")
    for definition in _definitions(path, path.relative_to(top.parent).as_posix()):
        if definition.name in definitions:
            twice.append(definition.name)
        definitions[definition.name] = definition


def _definitions(path: Path, file: str) -> Iterator[Definition]:
    data = _bytes(path)
    at, line = 0, 1
    while (start := data.find(b".subckt", at)) >= 0:
        line += data.count(b"\n", at, start)
        end = data.find(b"\n.ends", start)
        if end < 0:
            raise _broken(path, line, ".subckt without .ends")
        yield _definition(data[start:end], file, line)
        line += data.count(b"\n", start, end + 1)
        at = end + 1


def _definition(text: bytes, file: str, line: int) -> Definition:
    head, body = _head(text)
    name, ports = head[1], tuple(word for word in head[2:] if "=" not in word)
    found = _RESISTOR.findall(body)
    if not found or len(found) != sum(1 for row in body.split(b"\n") if row.strip()):
        return Definition(name, ports, file, line, devices=False)
    names, a, b, ohms = zip(*found, strict=True)
    index = {port.encode(): i for i, port in enumerate(ports)}
    try:
        return Definition(
            name,
            ports,
            file,
            line,
            True,
            names,
            np.fromiter((index[node] for node in a), np.int64, len(a)),
            np.fromiter((index[node] for node in b), np.int64, len(b)),
            np.array(ohms).astype(np.float64),
        )
    except (KeyError, ValueError) as error:
        raise fail(
            "bad-design",
            f"{file}:{line}",
            f"{name}: a device between no ports, or of no number: {error}",
        ) from error


def _head(text: bytes) -> tuple[list[str], bytes]:
    """The words of the .subckt card with its continuations, and what follows."""
    first, _, rest = text.partition(b"\n")
    while rest.startswith(b"+"):
        more, _, rest = rest.partition(b"\n")
        first += b" " + more[1:]
    return first.decode("latin-1").split(), rest


def _instance(card: str, line: int, top: Path) -> Instance:
    words = card.split()
    params = [tuple(word.split("=", 1)) for word in words if "=" in word]
    plain = [word for word in words if "=" not in word]
    if len(plain) < 3:
        raise _broken(top, line, f"{plain[0]} has no nodes")
    return Instance(
        plain[0], tuple(plain[1:-1]), plain[-1], tuple((key, value) for key, value in params), line
    )


def _cards(text: str) -> Iterator[tuple[int, str]]:
    """(line number, card) with continuations joined; the title and comments left out."""
    card, first = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("+"):
            card += " " + line[1:]
        elif line.strip() and not line.startswith("*"):
            if card:
                yield first, card
            card, first = line, number
    if card:
        yield first, card


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes().lower().replace(b"\r\n", b"\n")
    except OSError as error:
        raise fail("bad-design", str(path), f"cannot be read: {error.strerror}") from error


def _broken(path: Path, line: int, what: str) -> Exception:
    return fail("bad-design", f"{path.name}:{line}", what)
