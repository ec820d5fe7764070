"""The electrical rule check: whether op-amps and devices can bear what the circuit asks of them.

Each rule is checked on the samples, and in the worst case: every word line is at its largest volts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from memxc import units
from memxc.backends.cost import strength
from memxc.backends.cost.erc_rows import Case, ElectricalRules, Violation
from memxc.backends.cost.operating import Kept, OperatingPoint
from memxc.backends.cost.strength import Output
from memxc.target import Target

#: Significant digits. Volts are kept in single precision, so later digits say nothing.
_DIGITS = 4
#: A value is beyond its limit if it is so by more than this share: the last digits of a sum depend
#: on the processor.
_SLACK = 1e-5
_CURRENT = (
    "give the target a device of more ohms, op-amps of more strength, or smaller unit crossbars"
)
#: The largest error of held volts, as a share of the read voltage.
_HELD_SHARE = 0.01
_BOLTZMANN_J_PER_K = 1.380649e-23
_HOLD = (
    "let fewer places take turns, give the target a larger capacitor, or keep this map as codes, "
    "behind a converter and in a memory (--digital)"
)
_GAIN = (
    "the lane sums much more than its output needs, and the pass amplify found no two-stage form "
    "(docs/targets.md): train with weight decay, or leave out zeros with --zeros absent"
)


def measure(
    point: OperatingPoint, outputs: Sequence[Output], held_s: Mapping[str, float], target: Target
) -> ElectricalRules:
    """Return the rules that are broken, and those that the target gives no limit for.

    held_s: how long stages that take turns hold their outputs, by their names.
    """
    found = [*_currents(outputs, target), *_lanes(point, target), *_volts(point, target)]
    found += _held(held_s, target)
    counts = Counter[str]()
    for one in outputs:
        for size in np.unique(one.strength):
            lanes = one.share[one.strength == size].sum(dtype=np.float64)
            counts[str(size)] += round(float(lanes))
    ordered = {key: counts[key] for key in sorted(counts, key=int)}
    return ElectricalRules(
        violations=tuple(found), missing=tuple(_missing(held_s, target)), strengths=ordered
    )


def _missing(held_s: Mapping[str, float], target: Target) -> Iterator[str]:
    amplifier = target.amplifier
    for key, rule in (
        ("source_a", "current that an op-amp sources"),
        ("sink_a", "current that an op-amp sinks"),
        ("r_f_min_ohm", "smallest feedback resistor"),
        ("noise_gain_max", "largest noise gain"),
        ("supply_v", "volts within the rails"),
    ):
        if getattr(amplifier, key) is None:
            yield f"{rule} (amplifier.{key})"
    yield "current of the drivers of inputs"
    if held_s and target.hold is None:
        yield "volts that stages which take turns hold (hold.droop_v_per_s)"


def _currents(outputs: Sequence[Output], target: Target) -> Iterator[Violation]:
    """Yield outputs whose current is too large even for the strongest op-amp."""
    limits = [a for a in (target.amplifier.source_a, target.amplifier.sink_a) if a is not None]
    if not limits:
        return
    most = min(limits) * strength.known(target.amplifier)[-1]
    for one in outputs:
        rule = f"output current of {one.kind}"
        yield from _broken(one.stage, rule, (one.samples, one.worst), most, "A", _CURRENT)


def _lanes(point: OperatingPoint, target: Target) -> Iterator[Violation]:
    """Yield feedback resistors that are too small, and noise gains that are too large."""
    least, most = target.amplifier.r_f_min_ohm, target.amplifier.noise_gain_max
    for array in point.arrays:
        name = array.stage.name
        if most is not None:
            for number, gain in enumerate(array.noise_gain, 1):
                rule = f"noise gain of op-amp {number}"
                yield from _broken(name, rule, (gain, gain), most, "", _GAIN)
        low = array.stage.r_f < (least or 0.0) * (1 - _SLACK)
        if least is not None and low.any():
            remedy = "program with passes that know amplifier.r_f_min_ohm"
            yield Violation(
                stage=name, rule="feedback resistor", case="samples", lanes=int(low.sum()),
                value=units.rounded(float(array.stage.r_f.min()), _DIGITS), limit=least,
                unit="ohm", remedy=remedy,
            )  # fmt: skip


def _volts(point: OperatingPoint, target: Target) -> Iterator[Violation]:
    """Yield nets beyond the rails, and word lines beyond the threshold of the devices."""
    rails, threshold = target.amplifier.supply_v, target.device.threshold_v
    for array in point.arrays:
        stage = array.stage
        if stage.programmable and np.isfinite(threshold):
            volts = np.array([array.worst_v])
            remedy = "give the target a limiter below device.threshold_v"
            yield from _broken(
                stage.name, "volts on devices", (volts, volts), threshold, "V", remedy
            )
        if rails is not None and not stage.single_ended:
            both = array.plus.largest * stage.r_join, array.worst_v * array.y_plus * stage.r_join
            remedy = "lower amplifier.swing_v"
            yield from _broken(stage.name, "output volts of op-amp 1", both, rails, "V", remedy)


def _held(held_s: Mapping[str, float], target: Target) -> Iterator[Violation]:
    """Yield stages whose held outputs change too much until they are read for the last time.

    droop * seconds + step of the switch + 3 sqrt(k T / C), at 300 K
    """
    if target.hold is None:
        return
    noise_v = 3 * math.sqrt(_BOLTZMANN_J_PER_K * 300.0 / target.hold.capacitance_f)
    limit = units.rounded(_HELD_SHARE * target.device.read_voltage_v, _DIGITS)
    for stage, seconds in held_s.items():
        volts = np.array([target.hold.droop_v_per_s * seconds + target.hold.step_v + noise_v])
        rule = f"held volts after {units.rounded(seconds, 3):g} s"
        yield from _broken(stage, rule, (volts, volts), limit, "V", _HOLD)


def _broken(
    stage: str, rule: str, values: tuple[Kept, Kept], limit: float, unit: str, remedy: str
) -> Iterator[Violation]:
    """Yield a violation if a value is above the limit, on the samples or else in the worst case."""
    cases: tuple[Case, Case] = ("samples", "worst case")
    for case, value in zip(cases, values, strict=True):
        over = value > limit * (1 + _SLACK)
        if over.any():
            worst = units.rounded(float(value.max()), _DIGITS)
            yield Violation(
                stage=stage, rule=rule, case=case, lanes=int(over.sum()), value=worst,
                limit=limit, unit=unit, remedy=remedy,
            )  # fmt: skip
            return
