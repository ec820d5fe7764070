"""The ledger: what the supplies deliver, and where it becomes heat. Both sides have the same watts.

An amplifier at the rails +V and -V draws its quiescent current from both. A current i of its output
comes from one rail (class AB), or changes the current of the positive rail alone (class A):

    supply      = power + V |i|  (class AB),  power + V i  (class A)
    dissipation = supply - v i,  at v volts of its output

The rest becomes heat in what the output drives: devices, feedback and joining resistors. The two
sides are computed on different ways: an amplifier's current from the load of its net, the heat of
the devices crossbar by crossbar. Input drivers and bias lines are sources of what they deliver.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from memxc import units
from memxc.backends.cost.operating import ArrayPoint, Kept, Net, OperatingPoint, Signal
from memxc.backends.cost.power_rows import Dissipation, Ledger, SuppliedWatts
from memxc.ir.design import Design
from memxc.physics.network.amplifier import INVERTER_OHM
from memxc.target import Amplifier

#: Significant digits of watts. Volts are kept in single precision, so later digits say nothing.
DIGITS = 6


def measure(design: Design, point: OperatingPoint, amplifier: Amplifier, opamps: float) -> Ledger:
    """Return both sides. opamps: number of op-amps, each as many times as its strength.

    Figures that need the rails of the amplifier are None if the target does not give these.
    """
    static, load = opamps * amplifier.power_w, None
    if amplifier.supply_v is not None:
        load = amplifier.supply_v * sum(
            _drawn(amplifier, *output) for output in _outputs(design, point)
        )
    delivered = sum(_sum(signal.square * siemens) for signal, siemens in _outputs(design, point))
    inputs = (point.nets[name] for name in _sources(design) if name in point.nets)
    given = sum(_sum(net.volts.square * _load(net)) for net in inputs)
    supply: dict[str, float | None] = {
        "amplifiers_static_w": static,
        "amplifiers_load_w": load,
        "inputs_w": given,
        "bias_w": sum(array.bias_w for array in point.arrays),
    }
    heat = dict.fromkeys(("memristors_w", "resistors_w", "feedback_w", "joining_w"), 0.0)
    for array in point.arrays:
        stage, out = array.stage, point.nets[array.stage.dst].volts
        heat["memristors_w" if stage.programmable else "resistors_w"] += array.devices_w
        heat["feedback_w"] += _sum(array.share * out.square / stage.r_f)
        if not stage.single_ended:
            heat["joining_w"] += _sum(2 * array.share * stage.r_join * array.plus.square)
    heat["inverters_w"] = sum(
        2 / INVERTER_OHM * _sum(net.volts.square[net.inverse > 0]) for net in point.nets.values()
    )
    amplifiers = None if load is None else static + load - delivered
    return Ledger(
        samples=point.samples,
        supply=SuppliedWatts(**_side(supply)),
        dissipation=Dissipation(**_side({**heat, "amplifiers_w": amplifiers})),
    )


def _sources(design: Design) -> set[str]:
    """Return the buses that are driven from outside: by inputs of the network, and by islands."""
    return {*design.inputs, *(island.dst for island in design.islands)}


def _side(watts: dict[str, float | None]) -> dict[str, Any]:
    """Round the terms of a side, and add their sum: None if a term is not known."""
    terms = {k: None if w is None else units.rounded(w, DIGITS) for k, w in watts.items()}
    known = [term for term in terms.values() if term is not None]
    whole = units.rounded(sum(known), DIGITS) if len(known) == len(terms) else None
    return {**terms, "total_w": whole}


def _outputs(design: Design, point: OperatingPoint) -> Iterator[tuple[Signal, Kept]]:
    """Yield the volts of the outputs of all amplifiers, and the siemens that each drives."""
    for array in point.arrays:
        out = point.nets[array.stage.dst].volts
        yield out, array.share / array.stage.r_f
        if not array.stage.single_ended:
            yield _first(array), 2 * array.share / array.stage.r_join
    sources = _sources(design)
    for name, net in point.nets.items():
        if name not in sources:
            yield net.volts, _load(net)
        inverted = net.inverse > 0
        if inverted.any():
            volts = Signal(*(np.where(inverted, part, 0.0) for part in vars(net.volts).values()))
            turned = Signal(-volts.average, volts.mean, volts.square, volts.largest)
            yield turned, net.inverse + 1 / INVERTER_OHM


def _first(array: ArrayPoint) -> Signal:
    """Return the volts of the outputs of op-amps 1."""
    plus, ohms = array.plus, array.stage.r_join
    return Signal(
        -ohms * plus.average, ohms * plus.mean, ohms**2 * plus.square, ohms * plus.largest
    )


def _load(net: Net) -> Kept:
    """Return the siemens that a net drives, an inverter's resistor among them."""
    return net.load + np.where(net.inverse > 0, 1 / INVERTER_OHM, 0.0)


def _drawn(amplifier: Amplifier, volts: Signal, siemens: Kept) -> float:
    """Return the amperes that outputs draw from the rails, in addition to the quiescent ones."""
    current = volts.mean if amplifier.output_class == "AB" else volts.average
    return _sum(current * siemens)


def _sum(watts: Kept) -> float:
    return float(np.sum(watts, dtype=np.float64))
