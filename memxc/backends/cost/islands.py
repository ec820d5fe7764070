"""Islands: the converters at their borders, and the joules and seconds of their conversions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from memxc import units
from memxc.backends.cost.rows import IslandRow
from memxc.ir.design import Design
from memxc.ir.stages import Digital
from memxc.target import Target

#: Digits of joules, as of other energies.
_DIGITS = 6
_OPERATIONS = "what a processor takes to compute the island, in joules and in seconds"


def measure(design: Design, target: Target) -> Iterator[IslandRow]:
    """Yield a row for each island of a design."""
    parts: dict[str, list[Digital]] = {}
    for stage in design.islands:
        assert stage.subgraph is not None, "it is an island"
        parts.setdefault(stage.subgraph.island, []).append(stage)
    for name, stages in parts.items():
        yield _row(name, stages, design, target)


def _row(name: str, stages: list[Digital], design: Design, target: Target) -> IslandRow:
    digital, converter = design.digital, target.converter
    read = dict.fromkeys(src for stage in stages for src in stage.srcs if src not in digital)
    driven = [stage.dst for stage in stages if stage.dst not in digital]
    adcs, dacs = (sum(design.buses[bus].width for bus in buses) for buses in (read, driven))
    joules = _known(target, {"adc_energy_j": adcs, "dac_energy_j": dacs})
    # All converters of a kind work at the same time.
    seconds = _known(target, {"adc_time_s": min(adcs, 1), "dac_time_s": min(dacs, 1)})
    subgraph = stages[0].subgraph
    assert subgraph is not None, "it is an island"
    return IslandRow(
        island=name,
        operators=dict(Counter(subgraph.operators)),
        stages=tuple(stage.name for stage in stages),
        adcs=adcs,
        dacs=dacs,
        adc_bits=converter.adc_bits,
        dac_bits=converter.dac_bits,
        conversions=adcs + dacs,
        conversion_j=joules.total,
        conversion_s=seconds.total,
        missing=(*joules.missing, *seconds.missing, _OPERATIONS),
    )


class _Known(NamedTuple):
    """A sum over keys of the target, None if the target lacks one of them, and those it lacks."""

    total: float | None
    missing: tuple[str, ...]


def _known(target: Target, counts: Mapping[str, int]) -> _Known:
    """Return the sum of the target's figures of a converter, each times its count."""
    figures = {key: getattr(target.converter, key) for key, count in counts.items() if count}
    missing = tuple(f"converter.{key}" for key, figure in figures.items() if figure is None)
    if missing:
        return _Known(None, missing)
    whole = sum(counts[key] * figure for key, figure in figures.items())
    return _Known(units.rounded(whole, _DIGITS), ())
