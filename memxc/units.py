"""Numbers with units, and tables of them: read ("100k" is 1e5) and written ("100 kW")."""

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
    """Return the number in a text with or without an SI prefix and the unit.

    parse("500ns", "s") = 5e-7. Raises ValueError with a sentence if the text is no number, or if
    the number is not finite.
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
    # Decimal has a largest exponent, too.
    except ArithmeticError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is beyond what a number holds")
    return value


def text(value: float, unit: str = "", digits: int = 3) -> str:
    """Return a number for people, with an SI prefix: text(0.0123, "W") = "12.3 mW"."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g} {unit}".rstrip()
    shown = rounded(value, digits)
    power = math.floor(math.log10(abs(shown)) / 3) * 3
    prefix = _NAMES.get(power)
    if prefix is None:
        return f"{value:.{digits - 1}e} {unit}".rstrip()
    return f"{shown / 10**power:.{digits}g} {prefix}{unit}".rstrip()


def count(value: int) -> str:
    """Return a whole number with commas between the thousands: 12,345."""
    return f"{value:,}"


def some(number: int, word: str) -> str:
    """Return a number of things with its noun: "1 row", "2,000 rows"."""
    return f"{number:,} {word}{'s' * (number != 1)}"


def area(square_metres: float, digits: int = 3) -> str:
    """Return an area for people, in um2 or mm2.

    A prefix would be squared along with the metre, so only these two units are used.
    """
    shown = rounded(square_metres, digits)
    if shown < 1e-9:
        return f"{shown * 1e12:.{digits}g} um2"
    if shown < 10.0 ** (digits - 6):
        return f"{shown * 1e6:.{digits}g} mm2"
    return f"{square_metres * 1e6:,.0f} mm2"


def rounded(value: float, digits: int) -> float:
    """Round a number to `digits` significant digits."""
    return float(f"{value:.{digits - 1}e}")


def share(part: float | None) -> str:
    """Return a share in per cent, or "" if there is none."""
    return "" if part is None else f"{part:.1%}"


def lost(part: float) -> str:
    """Return a lost share in per cent. A share below zero was gained, and the text says so."""
    text = share(abs(part))
    return f"{text} gained" if part < 0 and text != "0.0%" else text


def small(error: float) -> str:
    """Return an error in two digits, as 3.1e-06; an error of zero is "0"."""
    return f"{error:.1e}" if error else "0"


def names(found: Iterable[str], limit: int = 40) -> list[str]:
    """Return a model's names shortened for a column of a table; different names stay different."""
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
    """Return rows as aligned columns, two blanks apart.

    Numbers stand to the right; cells are escaped.
    """
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
    """Return rows as CSV in which no program takes a cell for a formula.

    Numbers stand as they are, everything else in quotes.
    """
    text = io.StringIO()
    # Quotes keep a name with a semicolon in one cell where a locale separates cells by semicolons.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerows([_cell(value) for value in row] for row in (head, *rows))
    return text.getvalue()


#: Characters that begin a formula, also in East Asian wide forms. The apostrophe is the mark that
#: is put before them, so a name that begins with one gets a second one.
_FORMULA = tuple("=+-@＝＋－＠'")


def _cell(value: object) -> object:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    text = escaped(str(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
