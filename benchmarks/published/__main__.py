"""Compare memxc's cost model with published chips and designs.

    python benchmarks/published

Prints a line for each figure: what memxc predicts, what is published, and the error. No constant is
fitted to the figure that is compared; where one is taken from another operating point of the same
chip, the line says so. docs/published.md has the sources and says what the rows mean.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import memxc

HERE = Path(__file__).parent
#: NeuRRAM, Extended Data Fig. 12b: femtojoules of the input pulses for each operation (two a
#: multiplication), by the bits of an input with its sign. One pulse for each bit of the magnitude.
PULSES_FJ = {2: 3.9557, 3: 7.7315, 4: 11.5074, 5: 14.0246, 6: 19.2389, 7: 22.8350, 8: 27.5099}
#: The same for the whole core, from its efficiency in TOPS/W (Extended Data Fig. 12d).
CORE_FJ = {2: 1e3 / 40.334, 5: 1e3 / 11.032, 8: 1e3 / 6.437}
#: NeuRRAM, Fig. 11f: a neuron has 1,270 um2, the 256 of a core 28 % of it, and the RRAM 12 %.
CORE_M2 = 1270e-12 * 256 / 0.28
#: HERMES (abstract): operations a second, and for each joule, with four phases of a read and one.
FOUR_PHASES, ONE_PHASE = (16.1e12, 2.48e12), (63.1e12, 9.76e12)
#: HERMES core (abstract): operations a second for each square metre, and for each joule.
HERMES_CORE = (1.59e18, 10.5e12)
#: ISAAC: watts and square metres of an array of 128 x 128.
ARRAY_W, ARRAY_M2 = 0.3e-3, 25e-12


def main() -> None:
    """Print every comparison."""
    print(f"{'figure':58}{'memxc':>12}{'published':>12}{'error':>9}")
    neurram()
    hermes()
    isaac()


def neurram() -> None:
    """Energy of the pulses at seven operating points, of which one gives their length; areas."""
    # Each input is -1 or 1 during a pulse, so a device is at +- the read voltage.
    report = report_of(full("neurram.toml", 256, 128, (-1.0, 1.0)))
    operations = 2 * 256 * 128
    first = PULSES_FJ[2] * 1e-15 * operations
    seconds = first / report.power.crossbar_w
    print(f"NeuRRAM: {seconds * 1e9:.2f} ns a pulse, from the point with 2 bits")
    for bits, published in PULSES_FJ.items():
        if bits > 2:
            joules = report.power.crossbar_w * seconds * (bits - 1)
            row(f"NeuRRAM, {bits} bits: input pulses, fJ/op", joules / operations * 1e15, published)
    for bits, published in CORE_FJ.items():
        share = f"{PULSES_FJ[bits] / published:.0%} of {published:.1f} fJ/op"
        print(f"NeuRRAM, {bits} bits: the pulses are {share}; the rest is missing")
    row("NeuRRAM: array, mm2", report.area.crossbar_m2 * 1e6, CORE_M2 * 0.12 * 1e6)
    row(
        "NeuRRAM: neurons without converters, mm2",
        report.area.amplifier_m2 * 1e6,
        CORE_M2 * 0.28 * 1e6,
    )


def hermes() -> None:
    """The second operating point of a chip whose power is always on, and the chip from its core."""
    watts = FOUR_PHASES[0] / FOUR_PHASES[1]
    row("HERMES, one phase from four: TOPS", 4 * FOUR_PHASES[0] / 1e12, ONE_PHASE[0] / 1e12)
    row("HERMES, one phase from four: TOPS/W", ONE_PHASE[0] / watts / 1e12, ONE_PHASE[1] / 1e12)
    row("HERMES chip from its core: TOPS/W", HERMES_CORE[1] / 1e12, ONE_PHASE[1] / 1e12)


def isaac() -> None:
    """Watts and area of an array."""
    report = report_of(full("isaac.toml", 128, 64, (0.0, 1.0)))
    row("ISAAC: array, mW", report.power.crossbar_w * 1e3, ARRAY_W * 1e3)
    row("ISAAC: array, um2", report.area.crossbar_m2 * 1e12, ARRAY_M2 * 1e12)


def full(target: str, inputs: int, outputs: int, values: tuple[float, float]) -> memxc.Build:
    """Return a layer that fills one array of a target: uniform weights, inputs of two values."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(-1, 1, (inputs, outputs)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, outputs])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    x = rng.choice(np.array(values, np.float32), (16, inputs))
    return memxc.compile(model, target=HERE / target, samples=x, report_only=True)


def report_of(build: memxc.Build) -> Any:
    """Return the report of a layer on one array."""
    assert build.report.resources.total.crossbars == 1, "the layer fills one array"
    return build.report


def row(name: str, predicted: float, published: float) -> None:
    """Print a comparison."""
    error = predicted / published - 1
    print(f"{name:58}{predicted:12.4g}{published:12.4g}{error:+9.1%}")


if __name__ == "__main__":
    main()
