"""Numbers with units, and tables of them: "100k" to 1e5 at the door, "100 kW" in reports."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import count as numbers

from memxc.errors import escaped, shortened

#: Power of ten of each prefix.
_PREFIXES = {
    "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12,
}  # fmt: skip
#: The largest number of float32, the type of every input.
FLOAT32 = (2 - 2**-23) * 2.0**127
_NAMES = {power: name for name, power in _PREFIXES.items() if name != "µ"}
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([a-zA-Zµ]*)\s*")


def parse(text: str, unit: str = "") -> float:
    """A number, with a prefix and the unit if the user likes: parse("500ns", "s") = 5e-7.

    ValueError, in a sentence, where it is none, or none that is finite.
    """
    match = _NUMBER.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a number")
    number, suffix = match.groups()
    prefix = suffix.removesuffix(unit) if unit else suffix
    if prefix not in _PREFIXES:
        wanted = f" in {unit}" if unit else ""
        raise ValueError(f"{text!r} is not a number{wanted}")
    try:
        value = float(Decimal(number).scaleb(_PREFIXES[prefix]))
    # Decimal, too, has a largest exponent.
    except ArithmeticError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is beyond what a number holds")
    return value


def text(value: float, unit: str = "", digits: int = 3) -> str:
    """A number for people: text(0.0123, "W") = "12.3 mW"."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g} {unit}".rstrip()
    shown = rounded(value, digits)
    power = math.floor(math.log10(abs(shown)) / 3) * 3
    prefix = _NAMES.get(power)
    if prefix is None:
        return f"{value:.{digits - 1}e} {unit}".rstrip()
    return f"{shown / 10**power:.{digits}g} {prefix}{unit}".rstrip()


def count(value: int) -> str:
    """A whole number with its thousands apart: 12,345."""
    return f"{value:,}"


def area(square_metres: float, digits: int = 3) -> str:
    """An area for people; a prefix would be squared, so there are only two units."""
    shown = rounded(square_metres, digits)
    if shown < 1e-9:
        return f"{shown * 1e12:.{digits}g} um2"
    if shown < 10.0 ** (digits - 6):
        return f"{shown * 1e6:.{digits}g} mm2"
    return f"{square_metres * 1e6:,.0f} mm2"


def rounded(value: float, digits: int) -> float:
    """A number to so many significant digits."""
    return float(f"{value:.{digits - 1}e}")


def share(part: float | None) -> str:
    """A share as per cent; nothing where there is none."""
    return "" if part is None else f"{part:.1%}"


def lost(part: float) -> str:
    """A share that was lost as per cent; one below zero was gained, and says so."""
    text = share(abs(part))
    return f"{text} gained" if part < 0 and text != "0.0%" else text


def small(error: float) -> str:
    """An error in two digits: 3.1e-06; none at all is 0."""
    return f"{error:.1e}" if error else "0"


def names(found: Iterable[str], limit: int = 40) -> list[str]:
    """A model's names for a column of a table: each in short, and no two different ones alike."""
    found = list(found)
    shown = {name: shortened(name, limit) for name in found}
    for wider in (2 * limit, 4 * limit):
        counts = Counter(shown.values())
        shown |= {name: shortened(name, wider) for name in shown if counts[shown[name]] > 1}
    counts = Counter(shown.values())
    for name, text in shown.items():
        if counts[text] > 1:
            tried = (f"{text} ({number})" for number in numbers(1))
            shown[name] = next(t for t in tried if t not in shown.values())
    return [shown[name] for name in found]


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Rows in aligned columns, numbers to the right, two blanks between them; cells are escaped."""
    lines = [[escaped(cell) for cell in row] for row in ([head, *rows] if head else rows)]
    columns = list(zip(*lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(cell[:1].isdecimal() for cell in column[bool(head) :]) for column in columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        ).rstrip()
        for cells in lines
    )


def spreadsheet(rows: Iterable[Sequence[object]], head: Sequence[str]) -> str:
    """Rows as CSV that no program takes for a formula: numbers as they are, all else in quotes."""
    text = io.StringIO()
    # In quotes, for where lists are cut at semicolons a name with one would be two cells.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerows([_cell(value) for value in row] for row in (head, *rows))
    return text.getvalue()


#: What a formula begins with, also in the wide forms of East Asian fonts. The apostrophe is the
#: mark that is put before them, so a name that begins with one gets another.
_FORMULA = tuple("=+-@＝＋－＠'")


def _cell(value: object) -> object:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    text = escaped(str(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
