"""Islands: the converters at their borders, and the joules of their conversions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

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
    spent, missing = 0.0, list[str]()
    for count, key in ((adcs, "adc_energy_j"), (dacs, "dac_energy_j")):
        joules = getattr(converter, key)
        if count and joules is None:
            missing.append(f"converter.{key}")
        spent += count * (joules or 0.0)
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
        conversion_j=None if missing else units.rounded(spent, _DIGITS),
        missing=(*missing, _OPERATIONS),
    )
