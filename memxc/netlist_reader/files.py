"""Read the files of a netlist: follow includes, collect definitions, instances and faults."""

from __future__ import annotations

import re
from pathlib import Path

from memxc.errors import Fault
from memxc.netlist_reader import allowed, devices, nesting
from memxc.netlist_reader.cards import Card, cards, parameters
from memxc.netlist_reader.parts import Definition, Instance, Port, Shared, Supply

_INCLUDE = re.compile(r'\.include\s+(?:"([^"]+)"|(\S+))', re.I)
#: A reference to a section of a library: its file and its name.
_LIBRARY = re.compile(r'\.lib\s+(?:"([^"]+)"|(\S+))\s+(\w+)', re.I)
_SECTION = r"^\.lib[ \t]+{}[ \t]*$\n((?:(?!\.endl\b).*\n)*)\.endl\b.*$"
#: Characters at which SPICE starts a comment or something else that is not a word.
_SPECIAL = re.compile(r"[;$\"'`{}()\[\],\\]|//")
#: The comment that says which supply a test bench has to drive.
_SUPPLY = re.compile(
    rb"^\*[ \t]*supply\b[^:\n]*:[ \t]*(\S+)[ \t]+at[ \t]+(\S+)[ \t]+v[ \t]*$", re.M | re.I
)
#: The comment that says which nets an input or an output has, and its volts per unit.
_PORT = re.compile(r"^\*[ \t]*((?:input|output)\b[^:\n]*):([^,\n]*),([^\n]*)$", re.M)
_TEXT = bytes(range(32, 127)) + b"\n\t"
#: The deepest nesting of includes.
_DEEPEST = 20


class Reader:
    """Reads files below one folder, and collects their parts by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.seen: set[tuple[Path, str]] = set()
        self.depth = 0
        self.instances: dict[str, Instance] = {}
        self.definitions: dict[str, Definition] = {}
        self.twice: list[Instance | Definition] = []
        self.shared: list[Shared] = []
        self.supplies: list[Supply] = []
        self.ports: list[Port] = []
        self.faults: list[Fault] = []

    def top(self, path: Path) -> None:
        """Read the top file and everything that it includes."""
        file = path.name
        raw = self._read(path, "", file, "is")
        if raw is None:
            return
        if not raw.startswith(b"*"):
            # SPICE drops the first line of a deck, but reads that of an included file.
            self._fault(file, 1, "the first line is a title and begins with *")
        self._head(file, raw)
        self._file(path, file, raw, 1)
        self.faults += nesting.faults(self.definitions)

    def include(self, path: Path) -> None:
        """Read a file as if a top file included it, unless it was read before."""
        if (path.resolve(), "") not in self.seen:
            self._include(path.name, path, "")

    def _head(self, file: str, raw: bytes) -> None:
        """Read the comments of the top file that are for a test bench."""
        for supply in _SUPPLY.finditer(raw):
            name, volts = (word.decode("ascii").lower() for word in supply.groups())
            line = raw.count(b"\n", 0, supply.start()) + 1
            self.supplies.append(Supply(name, volts, file, line))
        text = raw.decode("ascii").lower()
        for port in _PORT.finditer(text):
            name, nets, volts = (" ".join(word.split()) for word in port.groups())
            line = text.count("\n", 0, port.start()) + 1
            self.ports.append(Port(name, nets, volts, file, line))

    def _file(self, path: Path, file: str, raw: bytes, first: int) -> None:
        """Read one file, definition by definition.

        file: its path below the folder. first: the number of its first line.
        """
        raw = b"\n" + raw + b"\n"
        text = raw.lower()
        at, line = 0, first - 1
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
            text = card.text.lower()
            where = f"{file}:{card.line}"
            if text[0] == "x":
                self._instance(file, Card(card.line, text))
            elif reference := _INCLUDE.fullmatch(card.text):
                self._include(where, path.parent / (reference[1] or reference[2]), "")
            elif reference := _LIBRARY.fullmatch(card.text):
                self._include(
                    where, path.parent / (reference[1] or reference[2]), reference[3].lower()
                )
            elif text.startswith((".model", ".param")):
                self._allow(file, Card(card.line, text))
                self.shared.append(Shared(text, file, card.line))
            else:
                self._fault(file, card.line, f"no card of a memxc netlist: {card.text[:40]}")

    def _include(self, where: str, named: Path, section: str) -> None:
        """Read a file, or a section of it, in place of the card at `where`."""
        raw = self._read(named, section, where, "includes")
        if raw is None:
            return
        if self.depth == _DEEPEST:
            what = f"includes files deeper than {_DEEPEST} levels"
            self.faults.append(Fault("bad-design", where, what))
            return
        path = named.resolve()
        file, first = path.relative_to(self.folder).as_posix(), 1
        if section:
            file_text = raw.decode("ascii")
            section_text = re.search(_SECTION.format(section), file_text + "\n", re.M | re.I)
            if section_text is None:
                what = f"{file} has no section {section}, from .lib to .endl"
                self.faults.append(Fault("bad-design", where, what))
                return
            first += file_text.count("\n", 0, section_text.start(1))
            raw = section_text[1].encode("ascii")
        self.depth += 1
        self._file(path, file, raw, first)
        self.depth -= 1

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
        instance = Instance(words[0], tuple(words[1:-1]), words[-1], params, file, card.line)
        if self.instances.setdefault(instance.name, instance) is not instance:
            self.twice.append(instance)

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
        parsed, others = devices.parse(body, line + count, tuple(names[1:]))
        for card in others:
            self._allow(file, card)
        definition = Definition(names[0], tuple(names[1:]), params, parsed, others, file, line)
        if self.definitions.setdefault(definition.name, definition) is not definition:
            self.twice.append(definition)

    def _end(self, file: str, text: bytes, line: int) -> None:
        """Check that the .ends of a definition has its name, or none."""
        name = _head(text)[0].split()[1:2]
        words = text[text.rfind(b"\n") + 1 :].split()
        if words not in ([b".ends"], [b".ends", *(word.encode() for word in name)]):
            self._fault(file, line, f".ends is not that of {' '.join(name)}")

    def _read(self, named: Path, section: str, where: str, verb: str) -> bytes | None:
        """Return the text of a file below the folder; otherwise None, with a fault at `where`.

        A file is read only once.
        """
        try:
            path = named.resolve()
        except (OSError, RuntimeError):  # a loop of symbolic links
            path = named
        what = ""
        if not path.is_relative_to(self.folder):
            what = f"{verb} a file outside the netlist's folder"
        elif (path, section) in self.seen:
            what = f"{verb} a file a second time"
        else:
            self.seen.add((path, section))
            file = path.relative_to(self.folder).as_posix()
            try:
                if path.exists() and not path.is_file():
                    what = f"{file} cannot be read: it is no file"
                else:
                    raw = path.read_bytes().replace(b"\r\n", b"\n")
            except OSError as error:
                what = f"{file} cannot be read: {error.strerror}"
        if what:
            self.faults.append(Fault("bad-design", where, what))
            return None
        return self._plain(file, raw)

    def _plain(self, file: str, raw: bytes) -> bytes | None:
        """Return the text of a file without leading blanks.

        A file that is not plain text gives None, and a fault.
        """
        strange = raw.translate(None, _TEXT)
        command = allowed.COMMAND.search(raw)
        if strange:
            at = raw.find(strange[:1])
            self._fault(file, raw.count(b"\n", 0, at) + 1, "a byte that is no printable ASCII")
            return None
        if command:
            line = raw.count(b"\n", 0, command.start()) + 1
            what = f"a comment that ngspice takes for a command: *{command[1].decode()}"
            self._fault(file, line, what)
            return None
        return re.sub(rb"(?m)^[ \t]+", b"", raw) if b"\n " in raw or b"\n\t" in raw else raw

    def _allow(self, file: str, card: Card) -> None:
        refused = allowed.refusal(card.text)
        if refused:
            self._fault(file, card.line, refused)

    def _fault(self, file: str, line: int, what: str) -> None:
        self.faults.append(Fault("bad-design", f"{file}:{line}", what))


def _head(text: bytes) -> tuple[str, bytes, int]:
    """Return the .subckt card with its continuations, the text after it, and its line count."""
    parts: list[bytes] = []
    at = 0
    while not parts or text.startswith((b"+", b"*"), at):
        end = text.find(b"\n", at)
        row = text[at : end if end >= 0 else len(text)].partition(b";")[0]
        if not row.startswith(b"*"):
            parts.append(row[1:] if parts else row)
        at = end + 1 if end >= 0 else len(text)
    return b" ".join(parts).decode("ascii"), text[at:], text.count(b"\n", 0, at) or 1
