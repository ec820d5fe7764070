"""A stage to simulate: its units, the volts that drive them, and where the answers belong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from memxc.ir.design import Design
from memxc.ir.stages import Array, Stage
from memxc.physics.network import nodal
from memxc.target import Target
from memxc.verify import stage_units
from memxc.verify.bench import BenchDeck, Run
from memxc.verify.library import Library, wired
from memxc.verify.stage_units import Unit

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Task:
    """A stage to simulate, with the volts on its source buses, each (pictures, width)."""

    design: Design
    stage: Stage
    sources: Sequence[Floats]
    library: Library
    target: Target
    wire: bool = False
    power: bool = False

    @property
    def title(self) -> str:
        """The title card. It contains no name of the model."""
        return f"stage {self.design.stages.index(self.stage)}"

    @property
    def pictures(self) -> int:
        """Number of samples."""
        return len(self.sources[0])

    @property
    def width(self) -> int:
        """Number of lanes that the stage drives."""
        return self.design.buses[self.stage.dst].width

    @cached_property
    def units(self) -> list[Unit]:
        """The units of an array."""
        assert isinstance(self.stage, Array)
        return list(stage_units.array_units(self.stage))

    @property
    def devices(self) -> int:
        """Number of devices in the distinct circuits that are simulated."""
        return sum(u.devices for u in self.units) if isinstance(self.stage, Array) else 1

    @property
    def linear(self) -> bool:
        """Whether the units are linear circuits before their limiters."""
        assert isinstance(self.stage, Array)
        return not self.stage.programmable or self.target.device.iv == "linear"

    @property
    def limit(self) -> float | None:
        """Volts of the stage's limiter, or None."""
        return self.design.buses[self.stage.dst].limit

    @property
    def swing(self) -> float:
        """Volts that an op-amp can reach."""
        return self.target.amplifier.swing_v

    def periphery(self, runs: Sequence[Run]) -> str:
        """Return the netlist's own text of the cells around the crossbars."""
        return self.library.periphery()

    def definitions(self, runs: Sequence[Run]) -> str:
        """Return the netlist's own text of all definitions that the runs use."""
        names = dict.fromkeys(name for run in runs for name in self.units[run.unit].definitions())
        if not self.wire:
            return self.library.periphery() + self.library.text(names)
        shapes = {name: shape for run in runs for name, shape in self._shapes(run.unit)}
        assert isinstance(self.stage, Array)
        ohms, drive = nodal.WireResistance.of(self.target.wire), self.stage.drive
        texts = [
            wired(
                name,
                self.library.conductance(name, shapes[name]),
                ohms,
                drive,
                self.library.cell(name),
            )
            for name in names
        ]
        return self.library.periphery() + "".join(texts)

    def _shapes(self, unit: int) -> list[tuple[str, tuple[int, int]]]:
        placed_unit = self.units[unit]
        sizes = [(c.word_lines, c.bit_lines) for c in map(placed_unit.crossbar, placed_unit.placed)]
        return list(zip(placed_unit.definitions(), sizes, strict=True))

    def inputs(self, unit: Unit) -> Floats:
        """Return volts at the unit's inputs, (pictures * places, inputs)."""
        source = self.sources[0]
        volts = source[:, np.maximum(unit.inputs, 0)]
        volts[:, unit.inputs < 0] = 0.0
        # A unit with nothing but a bias has no inputs.
        return volts.reshape(len(source) * len(unit.inputs), unit.inputs.shape[1])

    def put(self, out: Floats, unit: Unit, volts: Floats) -> None:
        """Put volts of a unit's lanes, (pictures * places, lanes), on the bus `out`, in place."""
        lanes = unit.lanes.reshape(-1)
        out[:, lanes[lanes >= 0]] = volts.reshape(len(out), -1)[:, lanes >= 0]


def answers(
    benches: Iterable[BenchDeck], found: Iterable[Floats]
) -> Iterator[tuple[Run, Floats, Floats]]:
    """Yield each run with the volts of its outputs and the watts of its watched devices."""
    for bench, answer in zip(benches, found, strict=True):
        at = 0
        for run in bench.runs:
            middle, end = at + run.outputs, at + run.outputs + len(run.watched)
            points = answer[: len(run.inputs)]
            yield run, points[:, at:middle], points[:, middle:end]
            at = end
