"""A transistor of a process library, as one model card and one set of numbers.

A library describes a transistor as a subcircuit: a MOSFET whose parameters are expressions of w, l
and of the corner, and a model card for each bin of w and l. Of memxc's engines, only ngspice reads
all of this. `flattened` computes the expressions for one transistor, and takes the bin it is in:

    .subckt nfet d g s b
    .param l=1 w=1 nrd={0.14/w}                      .model nfet_0 nmos(level=54 rsh=452.4 ...)
    mn d g s b m l={l} w={w} nrd={nrd}      --->     mn d g s b nfet_0 l=5e-07 w=1e-05 nrd=0.014
    .model m.1 nmos level=54 lmin=.. rsh={r}
    .model m.2 nmos level=54 lmin=.. rsh={r}
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from memxc.dialects.expression import Expression

#: Powers of a length in the instance parameters of a MOSFET, for the option `scale`.
_LENGTHS = {"w": 1, "l": 1, "ad": 2, "as": 2, "pd": 1, "ps": 1, "sa": 1, "sb": 1, "sd": 1}
_SCALE = re.compile(r"\.options?\s+(?:parser\s+)?scale\s*=\s*(\S+)")
_PAIR = re.compile(r"([a-z_]\w*)\s*=\s*(.*?)(?=\s+[a-z_]\w*\s*=|\s*$)", re.ASCII)
#: The ends of the bin of a model that has none.
_EVERYWHERE = {"lmin": "0", "lmax": "1e30", "wmin": "0", "wmax": "1e30"}
#: A length may differ from the beginning of its bin by a rounding error, as in ngspice.
_NEAR = 1e-14


@dataclass(frozen=True)
class Transistor:
    """One transistor in numbers.

    kind: nmos or pmos. model: the parameters of its model. instance: those of its card, in metres.
    """

    kind: str
    model: Mapping[str, float]
    instance: Mapping[str, float]

    def model_card(self, name: str) -> str:
        """Return the model card in SPICE, under a name."""
        pairs = " ".join(f"{key}={value:.12g}" for key, value in self.model.items())
        return f".model {name} {self.kind}({pairs})\n"

    def instance_card(self, name: str, nets: str, model: str) -> str:
        """Return the card of the transistor; nets: drain, gate, source and bulk."""
        pairs = " ".join(f"{key}={value:.12g}" for key, value in self.instance.items())
        return f"{name} {nets} {model} {pairs}\n"


def flattened(library: str, device: str, given: Mapping[str, float]) -> Transistor:
    """Return the transistor `device` with the parameters `given`, in the units of its subcircuit.

    library: the text of a corner with its includes: parameters, and the subcircuit. Parameters that
    are drawn (`agauss`, `gauss`) have their mean.
    Raises ValueError if there is no such subcircuit, or no bin for this w and l.
    """
    cards = _cards(library)
    parameters = _Parameters(cards)
    inside = _inside(cards, device.lower())
    for card in inside:
        if card.startswith((".subckt", ".param")):
            parameters.add(card)
    parameters.texts |= {key.lower(): repr(float(value)) for key, value in given.items()}
    mosfets = [card for card in inside if card.startswith("m")]
    # Name, four nets, model, and the name of the first parameter.
    if len(mosfets) != 1 or len(mosfets[0].partition("=")[0].split()) != 7:
        raise ValueError(f"{device} is not one MOSFET of four nets")
    (mosfet,) = mosfets
    scale = parameters.scale
    instance = {
        key: value * scale ** _LENGTHS.get(key, 0)
        for key, value in parameters.values(mosfet).items()
    }
    wanted = mosfet.split()[5]
    if not {"w", "l"} <= instance.keys() or instance.get("nf") == 0:
        raise ValueError(f"{device} has no width and length")
    width = instance["w"] / instance.get("nf", 1.0)
    for card in inside:
        words = card.split(maxsplit=3)
        if (
            len(words) < 3
            or words[0] != ".model"
            or not re.fullmatch(rf"{re.escape(wanted)}(\.\d+)?", words[1])
        ):
            continue
        bin_ends = _EVERYWHERE | _pairs(card)
        ends = [parameters.value(bin_ends[key]) for key in _EVERYWHERE]
        if _within(instance["l"], *ends[:2]) and _within(width, *ends[2:]):
            return Transistor(words[2], parameters.values(card), instance)
    raise ValueError(f"{device} has no model for w = {width:g} m and l = {instance['l']:g} m")


def with_numbers(cells: str, library: str, devices: Collection[str]) -> str:
    """Return cells in which each transistor of a library is a card with numbers.

    cells: cards in SPICE, in which `x<name> d g s b <device> w=.. l=..` places a transistor with
    plain numbers. library: as in `flattened`. devices: the transistors' subcircuits.
    Raises ValueError as `flattened` does, and for a parameter that is no number.
    """
    places = "|".join(re.escape(device.lower()) for device in devices)
    pattern = re.compile(rf"x(\w+)((?: +\w+){{4}}) +({places})((?: +\w+=\S+)*) *", re.ASCII)
    models: dict[tuple[str, str], str] = {}
    lines, cards = list[str](), list[str]()
    for line in re.sub(r"\n\+", " ", cells.lower()).splitlines():
        found = pattern.fullmatch(line)
        if found is None:
            lines.append(f"{line}\n")
            continue
        name, nets, device, words = found.groups()
        given = {key: float(text) for key, text in _pairs(words).items()}
        one = flattened(library, device, given)
        # Transistors of one size share a model, unless their other parameters are in it.
        card = one.model_card("{}")
        model = models.setdefault((device, card), f"{device}_{len(models)}")
        if len(models) > len(cards):
            cards.append(card.format(model))
        lines.append(one.instance_card(f"m{name}", nets.strip(), model))
    return "".join(cards + lines)


@lru_cache(maxsize=1)
def _cards(library: str) -> tuple[str, ...]:
    text = re.sub(r";.*", "", library.lower())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("*")]
    return tuple(card.strip() for card in "\n".join(lines).replace("\n+", " ").splitlines())


def _inside(cards: Sequence[str], device: str) -> list[str]:
    """Return the cards of a subcircuit, its head first."""
    for number, card in enumerate(cards):
        if card.split()[:2] == [".subckt", device]:
            ends = [k for k in range(number, len(cards)) if cards[k].startswith(".ends")]
            return list(cards[number : min(ends, default=len(cards))])
    raise ValueError(f"the library has no subcircuit {device}")


def _pairs(card: str) -> dict[str, str]:
    """Return the parameters of a card as texts."""
    return dict(_PAIR.findall(card))


def _within(length: float, least: float, most: float) -> bool:
    return least < length < most or math.isclose(length, least, rel_tol=_NEAR)


class _Parameters:
    """Parameters by name, each an expression of others, computed when it is needed."""

    def __init__(self, cards: Sequence[str]) -> None:
        """Take the parameters outside of subcircuits."""
        self.texts: dict[str, str] = {}
        self.scale, depth = 1.0, 0
        self._open: set[str] = set()
        for card in cards:
            depth += card.startswith(".subckt") - card.startswith(".ends")
            if not depth and card.startswith(".param"):
                self.add(card)
            if found := _SCALE.fullmatch(card):
                self.scale = self.value(found[1])

    def add(self, card: str) -> None:
        self.texts |= _pairs(card)

    def values(self, card: str) -> dict[str, float]:
        """Return the parameters of a card as numbers."""
        return {key: self.value(text) for key, text in _pairs(card).items()}

    def value(self, text: str) -> float:
        return Expression(text).value(self._named)

    def _named(self, name: str) -> float:
        if name not in self.texts:
            raise ValueError(f"the library has no parameter {name}")
        if name in self._open:
            raise ValueError(f"parameter {name} depends on itself")
        self._open.add(name)
        found = self.value(self.texts[name])
        self._open.remove(name)
        # The text of a number costs less than an expression that is computed again.
        self.texts[name] = repr(found)
        return found
