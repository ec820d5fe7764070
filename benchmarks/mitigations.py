"""Measure mitigations of wire resistance: a dense random crossbar, and a network's accuracy.

    python benchmarks/mitigations.py [MODEL.onnx DATA.npz]

The crossbar is 128 x 128 (127 inputs and a bias, 64 outputs), weights normal, inputs uniform in
0 .. 1; its errors are of the outputs, relative to the largest. DATA.npz has inputs x and labels y.
Without arguments only the crossbar is measured. Target: paper-128, 1 ohm a segment.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from memxc import target
from memxc.backends import twin
from memxc.compiler.options import MITIGATIONS, Options
from memxc.compiler.run import compile_model
from memxc.evaluation import evaluate, reference
from memxc.ir.design import Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array
from memxc.ir.windows import ints
from memxc.physics.network.effective import effective
from memxc.physics.network.nodal import WireResistance

Values = NDArray[Any]

TARGET = target.load("paper-128")
WIRES = WireResistance.of(TARGET.wire)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        crossbar(dense(Path(folder)))
    if len(sys.argv) == 3:
        network(Path(sys.argv[1]), Path(sys.argv[2]))


def dense(folder: Path) -> Path:
    """A model of one dense layer that fills a crossbar, with samples."""
    rng, path = np.random.default_rng(0), folder / "dense.onnx"
    parts = [
        numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)
        for name, shape in (("w", (127, 64)), ("b", (64,)))
    ]
    io = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, width))
        for name, width in (("x", 127), ("y", 64))
    ]
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="dense")
    graph = helper.make_graph([node], "dense", io[:1], io[1:], parts)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    np.savez(path.with_suffix(".samples.npz"), x=rng.uniform(0, 1, (256, 127)))
    return path


def crossbar(model: Path) -> None:
    print("dense 128 x 128, 1 ohm a segment")
    print(f"  {'':32} root mean square   largest   r_f grows by")
    ohms = None
    for name, design, samples in designs(model):
        wanted = reference.run(model, samples)["y"]
        found = evaluate.outputs(effective(design, WIRES), samples)["y"]
        size, apart = np.abs(wanted).max(), found - wanted
        r_f = design.arrays[0].r_f
        ohms = r_f if ohms is None else ohms
        errors = (
            f"{np.sqrt(np.square(apart).mean()) / size:16.1e} {np.abs(apart).max() / size:9.1e}"
        )
        print(f"  {name:32} {errors}   {(r_f / ohms).mean():.2f} (most {(r_f / ohms).max():.2f})")


def network(model: Path, data: Path) -> None:
    with np.load(data) as arrays:
        x, y = arrays["x"].astype(np.float32), arrays["y"].reshape(-1)
    output = reference.run(model, {"x": x[:1]})
    (name,) = output
    right = reference.predict(model.read_bytes(), {"x": x})[name].reshape(len(x), -1)
    print(f"{model.stem}, {len(x):,} samples of {data.name}, 1 ohm a segment")
    print(f"  {'':32}    top-1   error of the outputs")
    print(f"  {'the network itself':32} {(right.argmax(1) == y).mean():8.2%}")
    for which, design, _ in designs(model):
        made = twin.model(effective(design, WIRES))
        found = reference.predict(made, {"x": x}, trusted=True)[name].reshape(len(x), -1)
        apart = (np.abs(found - right).max(1) / np.abs(right).max(1)).mean()
        print(f"  {which:32} {(found.argmax(1) == y).mean():8.2%}   {apart:.1e}", flush=True)


def designs(model: Path) -> Iterator[tuple[str, Design, dict[str, Values]]]:
    """The programmed model without mitigation, with each and with several, and its samples."""
    for asked in ((), *((name,) for name in MITIGATIONS), MITIGATIONS[:2], MITIGATIONS):
        made = compile_model(Options(model, TARGET, mitigate=asked), check=False)
        name = ", ".join(asked) or "without mitigation"
        yield name, made.design, dict(made.samples)
        if not asked:
            yield "  pairs not interleaved", parted(made.design), dict(made.samples)


def parted(design: Design) -> Design:
    """The same circuit with all plus bit lines first, then all minus ones."""
    return design.with_stages(
        replace(stage, crossbars=tuple(map(_parted, stage.crossbars)))
        if isinstance(stage, Array)
        else stage
        for stage in design.stages
    )


def _parted(crossbar: Crossbar) -> Crossbar:
    bits = np.argsort(-crossbar.polarity, kind="stable")
    return replace(
        crossbar,
        cell=ints(crossbar.cell[:, bits]),
        column=ints(crossbar.column[bits]),
        polarity=ints(crossbar.polarity[bits]),
    )


if __name__ == "__main__":
    main()
