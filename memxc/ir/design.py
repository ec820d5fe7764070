"""Design: how a network is laid out, as buses of nets and the stages between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf, prod

import numpy as np
from numpy.typing import NDArray

from memxc.ir.stages import Array, Digital, Lanes, Linear, Rename, Stage

#: A bus has fewer nets than this, because their numbers are int32.
MOST = 1 << 31


def sample_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of one sample of a tensor.

    A first axis that is not a batch of one belongs to the sample.
    """
    return shape[1:] if shape[:1] == (1,) else shape


@dataclass(frozen=True)
class Bus:
    """A vector of nets. `shape` is the tensor's, including the batch axis of 1.

    scale: volts per unit of activation (None before calibrate, and for digital signals).
    limit: volts at which the limiter of the driving stage clips, or None without a limiter.
    mean_square: squared volts of each net, (width,), averaged over the calibration samples; None
    if weights neither read nor drive the bus. It is not stored with the design.
    """

    name: str
    shape: tuple[int, ...]
    scale: float | None = None
    limit: float | None = None
    mean_square: NDArray[np.float64] | None = field(
        default=None, compare=False, repr=False, metadata={"stored": False}
    )

    @property
    def width(self) -> int:
        """Number of nets."""
        return prod(self.shape)

    @property
    def sample(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return sample_shape(self.shape)

    def verify(self) -> None:
        """Raise AssertionError if no tensor has this shape, or if a voltage is not possible."""
        assert min(self.shape, default=0) >= 0, f"{self.name} has a negative axis"
        assert self.width < MOST, f"{self.name} has {self.width:,} nets, {MOST - 1:,} at most"
        for name, volts in (("scale", self.scale), ("limit", self.limit)):
            assert volts is None or 0 < volts < inf, f"{self.name} has a {name} of {volts} volts"

    def __str__(self) -> str:
        scale = "" if self.scale is None else f" {self.scale:.4g} V/unit"
        limit = "" if self.limit is None else f" limit {self.limit:.4g} V"
        return f"{self.name}{list(self.shape)}{scale}{limit}"


@dataclass(frozen=True)
class Design:
    """Buses and stages in topological order; `inputs` and `outputs` are bus names."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    buses: Mapping[str, Bus]
    stages: tuple[Stage, ...]

    def verify(self) -> None:
        """Raise AssertionError if the design is not well formed."""
        for name, bus in self.buses.items():
            assert name == bus.name, f"bus {name!r} has another name, {bus.name!r}"
            bus.verify()
        widths = {name: bus.width for name, bus in self.buses.items()}
        driven = set(self.inputs)
        for name in (*self.inputs, *self.outputs, *(stage.dst for stage in self.stages)):
            assert name in self.buses, f"{name!r} is no bus"
        for stage in self.stages:
            for src in stage.srcs:
                assert src in driven, f"{stage.name} reads {src!r} before it is driven"
            assert stage.dst not in driven, f"{stage.dst!r} is driven twice"
            try:
                stage.verify(widths)
            except AssertionError as error:
                raise AssertionError(f"{stage.name}: {error}") from error
            driven.add(stage.dst)
        names = {stage.name for stage in self.stages}
        assert len(names) == len(self.stages), "two stages have one name"
        for name in self.outputs:
            assert name in driven, f"output {name!r} is never driven"

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The programmed crossbar stages."""
        return tuple(stage for stage in self.stages if isinstance(stage, Array))

    def behind_wires(self, buses: Iterable[str]) -> set[str]:
        """Return the buses that drive these ones, once all renaming stages are followed back."""
        drivers = {stage.dst: stage for stage in self.stages}
        todo, origins = list(buses), set[str]()
        while todo:
            driver = drivers.get(name := todo.pop())
            if isinstance(driver, Rename):
                todo.extend(driver.srcs)
            else:
                origins.add(name)
        return origins

    @property
    def islands(self) -> tuple[Digital, ...]:
        """The parts of the network that stay digital: a stage for each output of a part."""
        return tuple(s for s in self.stages if isinstance(s, Digital) and s.subgraph is not None)

    @property
    def digital(self) -> frozenset[str]:
        """The buses that have no volts.

        Buses that are joined by wires are of one kind. They have volts if an analog stage drives or
        reads one of them. Otherwise they are digital if a digital stage drives one of them, or if
        an island reads one that is an input of the network.
        """
        family = {name: {name} for name in self.buses}
        analog, digital = set[str](), set[str]()
        for stage in self.stages:
            if isinstance(stage, Rename):
                merged = set().union(family[stage.dst], *(family[src] for src in stage.srcs))
                family.update(dict.fromkeys(merged, merged))
            elif isinstance(stage, Digital):
                digital |= {stage.dst}
                digital |= {*stage.srcs} if stage.subgraph is not None else set()
            else:
                analog |= {stage.dst, *stage.srcs}
        return frozenset(
            name for name in self.buses if family[name] & digital and not family[name] & analog
        )

    def driver(self, bus: str) -> Stage | None:
        """Return the stage that drives a bus, or None for an input."""
        return next((stage for stage in self.stages if stage.dst == bus), None)

    def with_stages(self, stages: Iterable[Stage]) -> Design:
        """Return the same buses with other stages."""
        return replace(self, stages=tuple(stages))

    def __str__(self) -> str:
        head = f"design {self.name}"
        lines = [f"  {self.buses[name]} = input" for name in self.inputs]
        lines += [f"  {self.buses[stage.dst]} = {stage}" for stage in self.stages]
        return "\n".join([head, *lines, f"  return {', '.join(self.outputs)}"])


__all__ = ["Array", "Bus", "Design", "Digital", "Lanes", "Linear", "Rename", "Stage"]
