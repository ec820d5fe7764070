"""The stages of a design as a network: which stage reads which, once renaming is left out."""

from __future__ import annotations

from collections.abc import Iterator

from memxc.backends.cost.network_rows import MadeOf, NetworkRow
from memxc.ir.design import Design
from memxc.ir.stages import Digital, Lanes, Rename, Stage


def measure(design: Design) -> Iterator[NetworkRow]:
    """Yield a row for each stage that is not a Rename, in order."""
    origins: dict[str, tuple[str, ...]] = {name: (name,) for name in design.inputs}
    for stage in design.stages:
        read = tuple(dict.fromkeys(name for src in stage.srcs for name in origins[src]))
        if isinstance(stage, Rename):
            origins[stage.dst] = read
            continue
        origins[stage.dst] = (stage.name,)
        bus = design.buses[stage.dst]
        yield NetworkRow(
            stage=stage.name,
            made_of=_made_of(stage),
            sources=read,
            shape=bus.shape,
            limit_v=bus.limit,
        )


def _made_of(stage: Stage) -> MadeOf:
    if isinstance(stage, Digital):
        return "digital" if stage.subgraph is None else "island"
    if isinstance(stage, Lanes | Rename):
        return "lanes"
    return {"memristor": "crossbars", "batchnorm": "memristors", "resistor": "resistors"}[
        stage.cell
    ]  # type: ignore[return-value]
