"""memxc's own text of the cells around the crossbars, from docs/netlist.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from memxc.ir import expr
from memxc.ir.stages import Lanes
from memxc.lvs.difference import Difference
from memxc.netlist_reader import NUMBER, Card, Definition
from memxc.physics.device import iv_laws
from memxc.target import Device

#: A gain above this is written as none.
_INFINITE = 1e300
#: With ideal op-amps: a current that is measured, or an input that is copied.
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
#: With op-amps of a finite gain, `#`.
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


def gains(found: Definition, gain: float) -> tuple[bool, list[Difference]]:
    """Whether a cell is memxc's own, and its op-amps of another gain than the design's."""
    have = list(_cards(found))
    for finite, known in ((False, _IDEAL), (True, _FINITE)):
        read = _read(known.get(found.name, ()), have)
        if read is not None:
            return True, list(_differences(found, gain, finite, read))
    return False, []


def is_function(text: str, stage: Lanes, scales: Sequence[float], out: float) -> bool:
    """Whether the text of a lane's function is memxc's own: in volts, by way of the inputs' and the
    output's scale, or without them where they are one."""
    return _plain("".join(text.split())) in map(_plain, _functions(stage, scales, out))


def _functions(stage: Lanes, scales: Sequence[float], out: float) -> Iterator[str]:
    units = [f"(v(x{k})*{1 / scale:.15e})" for k, scale in enumerate(scales)]
    yield f"{out:.15e}*{expr.spice(stage.expr, units)}"
    if stage.keeps_scale and all(scale == out for scale in scales):
        yield expr.spice(stage.expr, [f"v(x{k})" for k in range(len(scales))])


def is_memristor(found: Definition, device: Device) -> bool:
    """Whether the cell of a memristor that is no resistor is memxc's own."""
    have = ["".join(card.text.split()) for card in _cards(found)]
    return list(map(_plain, have)) == list(map(_plain, _currents(iv_laws.law(device))))


def _currents(law: iv_laws.Law) -> Iterator[str]:
    """The current sources of such a cell, without blanks."""
    if isinstance(law, iv_laws.SinhLaw):
        yield f"b1abi={law.v0:.9e}/{{r}}*sinh(v(a,b)/{law.v0:.9e})"
    if isinstance(law, iv_laws.TableLaw):
        g = law.g.tolist()
        for k, (low, own) in enumerate(pairwise(g), 1):
            rise = f"(1/{{r}}-{low:.9e})/{own - low:.9e}"
            fall = f"1/{{r}}/{own:.9e}"
            if own < g[-1]:
                fall = f"({g[k + 1]:.9e}-1/{{r}})/{g[k + 1] - own:.9e}"
            curve = zip(law.volts.tolist(), law.amperes[k].tolist(), strict=True)
            points = ",".join(f"{v:.9e},{i:.9e}" for v, i in curve)
            yield f"b{k}abi=max(0,min({rise},{fall}))*pwl(v(a,b),{points})"


def _plain(text: str) -> str:
    """A text in which numbers count, and not how they are written."""
    return NUMBER.sub(lambda word: repr(float(word[0])), text)


def _cards(found: Definition) -> Iterator[Card]:
    """The cards of a definition, blanks aside."""
    written = found.devices.written().splitlines()
    for line, text in zip(found.devices.lines.tolist(), written, strict=True):
        yield Card(line, text)
    for card in found.others:
        yield Card(card.line, " ".join(card.text.split()))


def _read(form: Sequence[str], have: Sequence[Card]) -> list[tuple[str, Card]] | None:
    """The cards of a form as they are found, each behind the gain that it says ("" where it says
    none); None where the cards are others."""
    left, read = list(have), []
    for want in form:
        head, gain, _ = want.partition("#")
        for card in left:
            said = card.text.removeprefix(head) if gain and card.text.startswith(head) else ""
            if NUMBER.fullmatch(said) or _plain(card.text) == _plain(want):
                read.append((said, card))
                left.remove(card)
                break
    return read if len(read) == len(form) and form and not left else None


def _differences(
    found: Definition, gain: float, finite: bool, read: list[tuple[str, Card]]
) -> Iterator[Difference]:
    infinite = gain > _INFINITE
    want = "infinite" if infinite else f"{gain:.9e}"
    if found.name == "limiter":
        return
    for said, card in read:
        # In an ideal amplifier every controlled source stands for an op-amp.
        have = said or ("infinite" if not finite and card.text[0] in "eh" else want)
        if have != want and (infinite or not finite or float(have) != float(want)):
            yield Difference(found.file, card.line, f"{found.name} gain", want, have)
