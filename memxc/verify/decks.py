"""The cards of a unit in a test bench: crossbars, amplifiers, inverters and limiters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from memxc.backends.netlist.body import wrapped
from memxc.backends.netlist.names import definition
from memxc.ir.kernel import BIAS
from memxc.verify.stage_units import Unit


def array_cards(unit: Unit, limit: float | None, prefix: str) -> str:
    """Return the cards of a unit of an array; inputs `<prefix>i<n>`, outputs `<prefix>o<lane>`."""
    inverters = [
        f"x{prefix}n{word} {prefix}i{word} {prefix}v{word} inverter\n"
        for word in inverted_inputs(unit)
    ]
    amplifiers = [_amplifier(unit, lane, limit, prefix) for lane in range(unit.lanes.shape[1])]
    return "".join([crossbar_cards(unit, prefix), *inverters, *amplifiers])


def inverted_inputs(unit: Unit) -> list[int]:
    """Return the inputs of a unit that drive a word line through an inverter, in order."""
    words = [
        placed.words[(unit.crossbar(placed).sign < 0) & (placed.words != BIAS)]
        for placed in unit.placed
    ]
    return sorted({int(word) for word in np.concatenate(words)})


def crossbar_cards(unit: Unit, prefix: str) -> str:
    """Return the cards of a unit's crossbars and of its bias lines.

    Their nets are the inputs `<prefix>i<n>`, these inverted `<prefix>v<n>`, and the summing nodes
    `<prefix>p<lane>` and `<prefix>m<lane>`.
    """
    stage, cards = unit.stage, []
    cards.append(f"v{prefix}b {prefix}bias 0 {stage.v_bias:.12e}\n")
    cards.append(f"v{prefix}c {prefix}biasn 0 {-stage.v_bias:.12e}\n")
    for number, placed in enumerate(unit.placed):
        crossbar = unit.crossbar(placed)
        words = []
        for word, sign in zip(placed.words.tolist(), crossbar.sign.tolist(), strict=True):
            if word == BIAS:
                words.append(f"{prefix}bias" if sign > 0 else f"{prefix}biasn")
            else:
                words.append(f"{prefix}i{word}" if sign > 0 else f"{prefix}v{word}")
        bits = [
            "0" if bit < 0 else f"{prefix}{'p' if polarity > 0 else 'm'}{bit}"
            for bit, polarity in zip(placed.bits.tolist(), crossbar.polarity.tolist(), strict=True)
        ]
        name = definition(int(crossbar.definition[placed.group]))
        cards.append(_card(f"x{prefix}x{number}", [*words, *bits, name]))
    return "".join(cards)


def devices(unit: Unit) -> tuple[str, ...]:
    """Return every conducting memristor of a unit, by its name behind the prefix."""
    names: list[str] = []
    for number, placed in enumerate(unit.placed):
        crossbar = unit.crossbar(placed)
        wide = [len(str(size - 1)) for size in crossbar.cell.shape]
        g = crossbar.conductance(slice(placed.group, placed.group + 1))[0]
        names += [
            f"x{number}.r{row:0{wide[0]}d}_{column:0{wide[1]}d}"
            for row, column in np.argwhere(g > 0).tolist()
        ]
    return tuple(names)


def lane_cards(cell: str, ports: int, limit: float | None, prefix: str) -> str:
    """Return the cards of one lane with its limiter."""
    inputs = [f"{prefix}i{k}" for k in range(ports)]
    if limit is None:
        return _card(f"x{prefix}f", [*inputs, f"{prefix}o0", cell])
    return (
        _card(f"x{prefix}f", [*inputs, f"{prefix}r0", cell])
        + f"x{prefix}l {prefix}r0 {prefix}o0 limiter clip={limit:.9e}\n"
    )


def limiter_cards(limit: float, prefix: str) -> str:
    """Return the card of one limiter alone."""
    return f"x{prefix}l {prefix}i0 {prefix}o0 limiter clip={limit:.9e}\n"


def loaded_cards(cell: Callable[[str], str], siemens: float, prefix: str) -> str:
    """Return the cards of one cell with its load of `siemens`."""
    return f"{cell(prefix)}r{prefix}l {prefix}o0 0 {1 / siemens:.12e}\n"


def inverter_cards(prefix: str) -> str:
    """Return the card of one inverter alone."""
    return f"x{prefix}n {prefix}i0 {prefix}o0 inverter\n"


def memristor_cards(ohms: float, prefix: str) -> str:
    """Return the cards of one nonlinear memristor alone; the output is its current times `ohms`."""
    return (
        f"x{prefix}m {prefix}i0 {prefix}s memristor r={ohms:.12e}\n"
        f"v{prefix}s {prefix}s 0 0\n"
        f"h{prefix}o {prefix}o0 0 v{prefix}s {ohms:.12e}\n"
    )


def amplifier_cards(unit: Unit, load: NDArray[np.float64], prefix: str) -> str:
    """Return the cards of a unit's first amplifier alone.

    Its inputs are the plus and the minus bit line, each behind a resistor of the siemens in `load`.
    """
    return _amplifier(unit, 0, None, prefix) + "".join(
        f"r{prefix}{node} {prefix}i{number} {prefix}{node}0 {1 / g:.12e}\n"
        for number, (node, g) in enumerate(zip("pm", load.tolist(), strict=True))
        if g > 0
    )


def amplifier_cell(unit: Unit) -> str:
    """Return the name of the cell of a unit's amplifiers."""
    cell = "tia_single" if unit.stage.single_ended else "tia"
    return cell if unit.offset is None else f"{cell}_offset"


def _amplifier(unit: Unit, lane: int, limit: float | None, prefix: str) -> str:
    out = f"{prefix}{'o' if limit is None else 'r'}{lane}"
    single = unit.stage.single_ended
    nodes = f"{prefix}m{lane}" if single else f"{prefix}p{lane} {prefix}m{lane}"
    params = f"r_f={unit.r_f[lane]:.9e}"
    if not single:
        params += f" r_join={unit.r_join[lane]:.9e}"
    if unit.offset is not None:
        first, second = unit.offset[:, lane]
        params += (
            f" offset_2={second:.9e}" if single else f" offset_1={first:.9e} offset_2={second:.9e}"
        )
    card = f"x{prefix}a{lane} {nodes} {out} {amplifier_cell(unit)} {params}\n"
    if limit is not None:
        card += f"x{prefix}l{lane} {out} {prefix}o{lane} limiter clip={limit:.9e}\n"
    return card


def _card(name: str, words: Sequence[str]) -> str:
    return name + "".join(wrapped(words)) + "\n"
