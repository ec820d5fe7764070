"""The text that memxc itself writes for the cells around the crossbars, from docs/netlist.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from memxc.ir import expr
from memxc.ir.stages import Lanes
from memxc.lvs.difference import Difference
from memxc.netlist_reader import NUMBER, Card, Definition
from memxc.physics.device import iv_laws
from memxc.target import Device

#: A gain above this is written as an ideal op-amp.
_INFINITE = 1e300
#: Cells with ideal op-amps: a measured current, or a copied input.
_IDEAL = {
    "tia": ("vp p 0 0", "vm m 0 0", "h1 q 0 vp {r_f}", "h2 out q vm {0-r_f}"),
    "tia_offset": (
        "vp p 0 {offset_1}", "vm m 0 {offset_2}", "h1 q 0 vp {r_f}", "h2 s q vm {0-r_f}",
        "vo out s {offset_2+(offset_2-offset_1)*r_f/r_join}",
    ),
    "tia_single": ("vm m 0 0", "h1 out 0 vm {0-r_f}"),
    "tia_single_offset": ("vm m 0 {offset_2}", "h1 q 0 vm {0-r_f}", "vo out q {offset_2}"),
    "inverter": ("e1 out 0 0 in 1",),
    "limiter": ("b1 out 0 v=min(max(v(in),0-{clip}),{clip})",),
}  # fmt: skip
#: Cells with op-amps of a finite gain, which is written at `#`.
_FINITE = {
    "tia": ("e1 a 0 0 p #", "r1 a p {r_join}", "r2 a m {r_join}", "e2 out 0 0 m #",
            "r3 out m {r_f}"),
    "tia_offset": (
        "vp y 0 {offset_1}", "vm z 0 {offset_2}", "e1 a 0 y p #", "r1 a p {r_join}",
        "r2 a m {r_join}", "e2 out 0 z m #", "r3 out m {r_f}",
    ),
    "tia_single": ("e1 out 0 0 m #", "r1 out m {r_f}"),
    "tia_single_offset": ("vm z 0 {offset_2}", "e1 out 0 z m #", "r1 out m {r_f}"),
    "inverter": ("e1 out 0 0 m #", "r1 in m 10000", "r2 out m 10000"),
    "limiter": _IDEAL["limiter"],
}  # fmt: skip


def gains(cell: Definition, gain: float) -> tuple[bool, list[Difference]]:
    """Return whether a cell is memxc's own, and its op-amps whose gain is not the design's."""
    have = list(_cards(cell))
    for finite, forms in ((False, _IDEAL), (True, _FINITE)):
        matched = _read(forms.get(cell.name, ()), have)
        if matched is not None:
            return True, list(_differences(cell, gain, finite, matched))
    return False, []


def is_function(text: str, stage: Lanes, scales: Sequence[float], out: float) -> bool:
    """Return whether a lane function's text is memxc's own.

    It is in volts, with the scales of inputs and output, or without them if all are equal.
    """
    return _plain("".join(text.split())) in map(_plain, _functions(stage, scales, out))


def _functions(stage: Lanes, scales: Sequence[float], out: float) -> Iterator[str]:
    units = [f"(v(x{k})*{1 / scale:.15e})" for k, scale in enumerate(scales)]
    yield f"{out:.15e}*{expr.spice(stage.expr, units)}"
    if stage.keeps_scale and all(scale == out for scale in scales):
        yield expr.spice(stage.expr, [f"v(x{k})" for k in range(len(scales))])


def is_memristor(cell: Definition, device: Device) -> bool:
    """Return whether the cell of a nonlinear memristor is memxc's own."""
    have = ["".join(card.text.split()) for card in _cards(cell)]
    return list(map(_plain, have)) == list(map(_plain, _currents(iv_laws.law(device))))


def _currents(law: iv_laws.Law) -> Iterator[str]:
    """Yield the current sources of a nonlinear memristor, without blanks."""
    if isinstance(law, iv_laws.SinhLaw):
        yield f"b1abi={law.v0:.9e}/{{r}}*sinh(v(a,b)/{law.v0:.9e})"
    if isinstance(law, iv_laws.TableLaw):
        g = law.g.tolist()
        for k, (low, state) in enumerate(pairwise(g), 1):
            rise = f"(1/{{r}}-{low:.9e})/{state - low:.9e}"
            fall = f"1/{{r}}/{state:.9e}"
            if state < g[-1]:
                fall = f"({g[k + 1]:.9e}-1/{{r}})/{g[k + 1] - state:.9e}"
            curve = zip(law.volts.tolist(), law.amperes[k].tolist(), strict=True)
            points = ",".join(f"{v:.9e},{i:.9e}" for v, i in curve)
            yield f"b{k}abi=max(0,min({rise},{fall}))*pwl(v(a,b),{points})"


def _plain(text: str) -> str:
    """Return a text with its numbers normalised, so that only their values count."""
    return NUMBER.sub(lambda word: repr(float(word[0])), text)


def _cards(cell: Definition) -> Iterator[Card]:
    """Yield the cards of a definition with single blanks."""
    written = cell.devices.written().splitlines()
    for line, text in zip(cell.devices.lines.tolist(), written, strict=True):
        yield Card(line, text)
    for card in cell.others:
        yield Card(card.line, " ".join(card.text.split()))


def _read(form: Sequence[str], cards: Sequence[Card]) -> list[tuple[str, Card]] | None:
    """Match cards with a form, and return each with the gain that it has ("" for none).

    The result is None if the cards do not match.
    """
    left, matched = list(cards), []
    for want in form:
        head, gain, _ = want.partition("#")
        for card in left:
            gain_text = card.text.removeprefix(head) if gain and card.text.startswith(head) else ""
            if NUMBER.fullmatch(gain_text) or _plain(card.text) == _plain(want):
                matched.append((gain_text, card))
                left.remove(card)
                break
    return matched if len(matched) == len(form) and form and not left else None


def _differences(
    cell: Definition, gain: float, finite: bool, read: list[tuple[str, Card]]
) -> Iterator[Difference]:
    infinite = gain > _INFINITE
    want = "infinite" if infinite else f"{gain:.9e}"
    if cell.name == "limiter":
        return
    for gain_text, card in read:
        # In an ideal amplifier every controlled source represents an op-amp.
        have = gain_text or ("infinite" if not finite and card.text[0] in "eh" else want)
        if have != want and (infinite or not finite or float(have) != float(want)):
            yield Difference(cell.file, card.line, f"{cell.name} gain", want, have)
