"""Layers of the page: a convolution and all that follows it alone, counted as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from memxc import units
from memxc.backends.cost.network_rows import NetworkRow
from memxc.build_folder.report.document import Report

#: What a layer costs. Each is a column of the page, and each has its own longest bar.
COSTS = ("power_w", "area_m2", "seconds", "memristors", "crossbars", "opamps")


@dataclass
class LayerCost:
    """Stages that are one layer, what they cost together, and the layers that it reads.

    seconds: settling time times periods of its stages on the critical path; 0 off this path.
    number: its place in the network, from 1. sources: numbers of layers; 0 is an input.
    kinds: what its stages are made of, in order. share: of the whole network, by cost.
    """

    number: int
    name: str
    stages: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    sources: set[int] = field(default_factory=set)
    made_of: str = "lanes"
    shape: tuple[int, ...] = ()
    power_w: float = 0.0
    area_m2: float = 0.0
    seconds: float = 0.0
    memristors: int = 0
    crossbars: int = 0
    opamps: int = 0
    places: float = 0.0
    share: dict[str, float] = field(default_factory=dict)

    @property
    def utilisation(self) -> float | None:
        """The share of the places of its unit crossbars that hold a device; None without any."""
        return self.places / self.crossbars if self.crossbars else None

    @property
    def known(self) -> bool:
        """Whether its costs are known: those of a part that stays digital are not modelled."""
        return self.made_of not in ("island", "digital")

    @property
    def title(self) -> str:
        """What it consists of: "12 crossbars + relu + max"."""
        words = {"crossbars": units.some(self.crossbars, "crossbar")}
        return " + ".join(words.get(kind, kind) for kind in dict.fromkeys(self.kinds))


def layers(report: Report) -> list[LayerCost]:
    """Return the layers of a network, in order.

    A stage with weights begins a layer, and so does an island, or a stage that reads several
    layers. Any other stage belongs to the layer that it reads, if nothing else reads what it reads.
    The parts that a pass makes of one stage ("conv/large", "conv/gain 1") belong to the layer of
    that stage.
    """
    rows, found = _rows(report), list[LayerCost]()
    readers = Counter(name for row in rows for name in row.sources)
    of: dict[str, LayerCost] = {}
    heads = _heads(row.stage for row in rows)
    for row in rows:
        sources = {of[name].number for name in row.sources if name in of}
        layer = of.get(heads[row.stage])
        alone = all(readers[name] == 1 for name in row.sources) and len(sources) == 1
        if layer is None and alone and row.made_of in ("lanes", "resistors", "digital"):
            layer = found[min(sources) - 1]
        if layer is None:
            layer = LayerCost(len(found) + 1, heads[row.stage])
            found.append(layer)
        of[row.stage] = of[heads[row.stage]] = layer
        layer.stages.append(row.stage)
        # The parts that a pass makes of a stage have other shapes than the stage.
        layer.shape = row.shape if heads[row.stage] == row.stage else ()
        if row.made_of in ("crossbars", "memristors", "island") or len(layer.stages) == 1:
            layer.made_of = row.made_of
        inputs = {0} if any(name not in of for name in row.sources) else set()
        layer.sources |= (sources | inputs) - {layer.number}
    _add_costs(report, of)
    for key in COSTS:
        whole = sum(getattr(layer, key) for layer in found)
        for layer in found:
            layer.share[key] = getattr(layer, key) / whole if whole else 0.0
    return found


def _rows(report: Report) -> Sequence[NetworkRow]:
    """The rows of the network; in an older report every stage reads the stage before it."""
    if report.network is not None:
        return report.network
    names = [row.stage for row in report.resources.stages]
    return [
        NetworkRow(
            stage=row.stage,
            made_of="crossbars" if row.crossbars else "lanes",
            sources=(before,),
            shape=(),
            limit_v=None,
        )
        for row, before in zip(report.resources.stages, ["", *names], strict=False)
    ]


def _heads(names: Iterable[str]) -> Mapping[str, str]:
    """For each name, the shortest other name that it continues after a slash, or the name."""
    names = list(names)
    known = set(names)
    return {
        name: next(
            (part for i, c in enumerate(name) if c == "/" and (part := name[:i]) in known), name
        )
        for name in names
    }


def _add_costs(report: Report, of: Mapping[str, LayerCost]) -> None:
    """Add what each stage costs to its layer."""
    periods = dict[str, int]()
    for bill, watts in zip(report.resources.stages, report.power.stages, strict=True):
        if bill.stage not in of:
            continue
        layer = of[bill.stage]
        periods[bill.stage] = bill.periods
        layer.kinds.append("crossbars" if bill.kind == "memristor" else bill.kind)
        layer.power_w += watts.total_w
        layer.memristors += bill.memristors
        layer.crossbars += bill.crossbars
        layer.opamps += bill.opamps
        layer.places += (bill.utilisation or 0.0) * bill.crossbars
    for area in report.area.stages:
        if area.stage in of:
            of[area.stage].area_m2 += area.crossbar_m2 + area.amplifier_m2 + area.hold_m2
    for row in report.latency.stages:
        if row.stage in periods and row.critical:
            of[row.stage].seconds += (row.settling_s or 0.0) * periods[row.stage]
    for digital in report.digital:
        if digital.stage in of:
            of[digital.stage].kinds.append(digital.function)
    for island in report.islands or ():
        for stage in island.stages:
            if stage in of:
                of[stage].kinds += island.operators
