"""The settling of stages drawn at random: SPICE's transient of the macros against the report.

    python benchmarks/settling.py [--count 20] [--seed 0] [--target hfox-128]

The stages are drawn from MSCCNN, ShuffleNetV2 x0.5, ResNet-20 and SE-FCN (its crossbars in turn).
The bench of a stage has its slowest lane: the devices of the lane and, at its nodes, the
capacitance of the bit lines, C_f of each amplifier, and the load of its output. The op-amps are
macros with rails and limits (templates/cells/op_amp/macro.cir.j2). Word lines are ideal sources, so
other lanes on them change nothing and are left out. The sources step so far that no op-amp moves by
more than 2 mV, where its limits do not count, and then a hundred times as far (by the target's
swing). The report adds a time to the first if such a swing is steeper than the op-amp's slew.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import memxc
from memxc import engines
from memxc.backends.cost import lane_loads, settling
from memxc.backends.cost.lane_loads import ArrayLoads, NetLoads
from memxc.backends.cost.settling import StageTime
from memxc.backends.netlist import body, memristor
from memxc.errors import MemxcError
from memxc.ir.deck import Grids
from memxc.ir.stages import Array
from memxc.library import checks
from memxc.physics.network import settling as responses
from memxc.verify import transient, transient_energy
from memxc.verify.stage_units import Unit
from memxc.verify.transient_cards import transient_deck

MODELS = Path(__file__).parents[1] / "models"
NETWORKS = {
    "msccnn_fashion": "parallel",
    "shufflenetv2_x05_fer2013": "parallel",
    "resnet20_r100_s0": "parallel",
    "sefcn_nuclei": "sequential",
}
#: Volts that an op-amp moves by at most: a small step, and as a share of it a large one.
SMALL_V, LARGE = 2e-3, 100
#: A row of the table.
ROW = "{:26} {:34} {:>8} {:>8} {:>7} {:>9} {:>8} {:>8}"


@dataclass(frozen=True, eq=False)
class Bench:
    """A stage of a build, and all that its lanes are simulated with."""

    network: str
    build: memxc.Build
    stage: Array
    loads: ArrayLoads
    hung: NetLoads
    time: StageTime

    def row(self) -> tuple[float, float]:
        """Print how the stage settles; return both errors of the report, relative to SPICE."""
        lane, plus = self.time.slowest
        unit = transient.lane_unit(self.stage, lane)
        weights = [side[:, 0] for side in transient.weights(unit)]
        volts = transient.step(unit, plus)
        volts *= SMALL_V / moved(unit, weights, volts)
        linear = float(responses.responses(self.time.path[-1], settling.TOLERANCE).seconds[0])
        first = self.settled(unit, volts, linear)
        large = self.settled(unit, volts * LARGE, linear + self.time.slew_s)
        # Inverters before the word lines are ideal here.
        told = linear + self.time.slew_s
        print(
            ROW.format(
                self.network, self.stage.name[:34],
                *(f"{1e9 * value:.1f}" for value in (first[0], linear)),
                f"{linear / first[0] - 1:+.2%}",
                f"{first[1]:.1%}",
                *(f"{1e9 * value:.0f}" for value in (large[0], told)),
            ),
            flush=True,
        )  # fmt: skip
        return linear / first[0] - 1, told / large[0] - 1

    def settled(self, unit: Unit, volts: np.ndarray, guess: float) -> tuple[float, float]:
        """Return the seconds until the lane is settled, and its overshoot."""
        target = self.build._loaded.target
        library = Text(unit, target.device)
        op_amp = transient_energy.macro(target.amplifier)
        deck = transient_deck(unit, volts, self.loads, self.hung, library, target, op_amp)
        engine = engines.transient("ngspice")
        times, found = engine.transient(deck, ["u0o0"], guess / 500, 4 * guess)
        error = (found[:, 0] - found[0, 0]) / (found[-1, 0] - found[0, 0]) - 1
        last = int(np.flatnonzero(np.abs(error) > settling.TOLERANCE)[-1])
        here, there = np.abs(error[last : last + 2])
        share = (here - settling.TOLERANCE) / (here - there)
        return float(times[last] + share * (times[last + 1] - times[last])), float(error.max())


@dataclass(frozen=True, eq=False)
class Text:
    """The definitions of the crossbars of a unit with one lane, without devices that end elsewhere.

    It has the place of `memxc.verify.library.Library`.
    """

    unit: Unit
    device: object

    def periphery(self) -> str:
        """Return the cell of the memristors."""
        return memristor.definition(self.device) if memristor.name(self.device) else ""

    def text(self, names: Sequence[str]) -> str:
        """Return the definitions."""
        device = memristor.name(self.device) if self.unit.stage.programmable else ""
        found = []
        for name in dict.fromkeys(names):
            here = [p for one, p in zip(names, self.unit.placed, strict=True) if one == name]
            crossbar, used = (
                self.unit.crossbar(here[0]),
                np.any([p.bits >= 0 for p in here], axis=0),
            )
            cell = np.where(used, crossbar.cell, -1)
            found += body.definitions(Grids((name,), crossbar.g[here[0].group][None], cell, device))
        return b"".join(found).decode()


def moved(unit: Unit, weights: list[np.ndarray], volts: np.ndarray) -> float:
    """Return the volts that the op-amp moves by which moves most."""
    plus, minus = (float(side @ volts) for side in weights)
    second = abs(float(unit.r_f[0]) * (plus - minus))
    return second if unit.stage.single_ended else max(second, abs(float(unit.r_join[0]) * plus))


def benches(target: str) -> Iterator[Bench]:
    """Yield every stage of crossbars or resistors of all networks."""
    for name, schedule in NETWORKS.items():
        build = memxc.compile(MODELS / f"{name}.onnx", target=target, schedule=schedule)
        loaded = build._loaded
        loads = lane_loads.measure(loaded.design, checks._tile(loaded))
        hung = lane_loads.outputs(loaded.design, loads)
        times = settling.measure(loaded.design, loads, loaded.target)
        for array in loaded.design.arrays:
            if array.name in times:
                loaded_by = loads[array.name], hung[array.dst]
                yield Bench(name, build, array, *loaded_by, times[array.name])


def main() -> None:
    """Read the command line, draw stages, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", default="hfox-128")
    args = parser.parse_args()
    start, every = time.monotonic(), list(benches(args.target))
    print(f"{len(every)} stages, compiled in {time.monotonic() - start:.0f} s", flush=True)
    drawn = np.random.default_rng(args.seed).choice(len(every), args.count, replace=False)
    print(
        ROW.format(
            "network", "stage", "SPICE ns", "report", "",
            "overshoot", "large ns", "report",
        )
    )  # fmt: skip
    errors = np.array([every[number].row() for number in sorted(drawn)])
    small, large = errors.T
    print(
        f"small step: the report is {small.min():+.2%} to {small.max():+.2%} beside SPICE; "
        f"large step: {large.min():+.0%} to {large.max():+.0%}, "
        f"shorter in {(large < 0).sum()} of {len(large)}"
    )


if __name__ == "__main__":
    try:
        main()
    except MemxcError as error:
        sys.exit("\n".join(map(str, error.faults)))
