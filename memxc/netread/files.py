"""The files of a netlist: includes followed; definitions, instances and all faults collected."""

from __future__ import annotations

import re
from pathlib import Path

from memxc.errors import Fault
from memxc.netread import devices
from memxc.netread.cards import Card, cards, parameters
from memxc.netread.parts import Definition, Instance, Supply

_INCLUDE = re.compile(r'\.include\s+(?:"([^"]+)"|(\S+))', re.I)
#: What SPICE takes for the start of a comment or of something else than a word.
_SPECIAL = re.compile(r"[;$\"'{}()\[\],\\]|//")
#: The comment that says what a test bench is to drive.
_SUPPLY = re.compile(
    rb"^\*[ \t]*supply\b[^:\n]*:[ \t]*(\S+)[ \t]+at[ \t]+(\S+)[ \t]+v[ \t]*$", re.M | re.I
)
_TEXT = bytes(range(32, 127)) + b"\n\t"


class Reader:
    """Reads files below one folder into one set of names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.seen: set[Path] = set()
        self.instances: dict[str, Instance] = {}
        self.definitions: dict[str, Definition] = {}
        self.twice: list[Instance | Definition] = []
        self.supplies: list[Supply] = []
        self.faults: list[Fault] = []

    def top(self, path: Path) -> None:
        """Read the top file and all that it includes."""
        raw = self._bytes(path, path.name, path.name)
        if raw is None:
            return
        if not raw.startswith(b"*"):
            # SPICE drops the first line of a deck, but reads that of an included file.
            self._fault(path.name, 1, "the first line is a title and begins with *")
        for found in _SUPPLY.finditer(raw):
            name, volts = (word.decode("ascii").lower() for word in found.groups())
            line = raw.count(b"\n", 0, found.start()) + 1
            self.supplies.append(Supply(name, volts, path.name, line))
        self._file(self.folder / path.name, path.name, raw)

    def _file(self, path: Path, file: str, raw: bytes) -> None:
        """One file, definition by definition; `file` is its path below the folder."""
        self.seen.add(path)
        raw = b"\n" + raw + b"\n"
        text = raw.lower()
        at, line = 0, 0
        while (start := text.find(b"\n.subckt", at)) >= 0:
            self._outside(path, file, raw[at:start], line)
            line += text.count(b"\n", at, start + 1)
            end = text.find(b"\n.ends", start)
            if end < 0:
                self._fault(file, line, ".subckt without .ends")
                return
            self._definition(file, text[start + 1 : end + 1], line)
            line += text.count(b"\n", start + 1, end + 1)
            at = text.find(b"\n", end + 1)
            self._end(file, text[start + 1 : at], line)
        self._outside(path, file, raw[at:], line)

    def _outside(self, path: Path, file: str, raw: bytes, line: int) -> None:
        for card in cards(raw.decode("ascii"), line):
            if card.text[0] in "xX":
                self._instance(file, Card(card.line, card.text.lower()))
            elif found := _INCLUDE.fullmatch(card.text):
                self._include(f"{file}:{card.line}", path.parent / (found[1] or found[2]))
            else:
                self._fault(file, card.line, f"no card of a memxc netlist: {card.text[:40]}")

    def _include(self, where: str, named: Path) -> None:
        try:
            path = named.resolve()
        except (OSError, RuntimeError):  # a loop of symbolic links
            path = named
        if not path.is_relative_to(self.folder):
            what = "includes a file outside the netlist's folder"
        elif path in self.seen:
            what = "includes a file a second time"
        else:
            file = path.relative_to(self.folder).as_posix()
            raw = self._bytes(path, where, file)
            if raw is not None:
                self._file(path, file, raw)
            return
        self.faults.append(Fault("bad-design", where, what))

    def _instance(self, file: str, card: Card) -> None:
        try:
            text, params = parameters(card.text)
        except ValueError as error:
            self._fault(file, card.line, str(error))
            return
        words = text.split()
        if _SPECIAL.search(card.text) or len(words) < 3:
            what = "an X card is its name, its nodes, a cell and plain name=value parameters"
            self._fault(file, card.line, what)
            return
        made = Instance(words[0], tuple(words[1:-1]), words[-1], params, file, card.line)
        if self.instances.setdefault(made.name, made) is not made:
            self.twice.append(made)

    def _definition(self, file: str, text: bytes, line: int) -> None:
        head, body, count = _head(text)
        try:
            words, params = parameters(head)
        except ValueError as error:
            self._fault(file, line, str(error))
            return
        dot, *names = words.split()
        if dot != ".subckt" or len(names) < 2 or _SPECIAL.search(head):
            self._fault(file, line, ".subckt is followed by a name and its ports")
            return
        found, others = devices.parse(body, line + count, tuple(names[1:]))
        for card in others:
            if card.text.startswith(("+", ".subckt", ".inc", ".lib")):
                self._fault(file, card.line, f"{card.text.split()[0]} inside {names[0]}")
        made = Definition(names[0], tuple(names[1:]), params, found, others, file, line)
        if self.definitions.setdefault(made.name, made) is not made:
            self.twice.append(made)

    def _end(self, file: str, text: bytes, line: int) -> None:
        """The .ends of a definition names it, or nothing."""
        name = _head(text)[0].split()[1:2]
        words = text[text.rfind(b"\n") + 1 :].split()
        if words not in ([b".ends"], [b".ends", *(word.encode() for word in name)]):
            self._fault(file, line, f".ends is not that of {' '.join(name)}")

    def _bytes(self, path: Path, where: str, file: str) -> bytes | None:
        try:
            raw = path.read_bytes().replace(b"\r\n", b"\n")
        except OSError as error:
            self.faults.append(
                Fault("bad-design", where, f"{file} cannot be read: {error.strerror}")
            )
            return None
        strange = raw.translate(None, _TEXT)
        if strange:
            line = raw.count(b"\n", 0, raw.find(strange[:1])) + 1
            self._fault(file, line, "a byte that is no printable ASCII")
            return None
        return raw

    def _fault(self, file: str, line: int, what: str) -> None:
        self.faults.append(Fault("bad-design", f"{file}:{line}", what))


def _head(text: bytes) -> tuple[str, bytes, int]:
    """The .subckt card with its continuations, what follows, and how many lines it took."""
    first, _, rest = text.partition(b"\n")
    parts, count = [first], 1
    while rest.startswith((b"+", b"*")):
        more, _, rest = rest.partition(b"\n")
        parts += [more[1:]] if more.startswith(b"+") else []
        count += 1
    return b" ".join(parts).decode("ascii"), rest, count
