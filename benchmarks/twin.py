"""Compare the twin with the original model in ONNX Runtime: milliseconds per image, and ratios.

python benchmarks/twin.py [MODEL.onnx ...]

Both run in turn in one process with one thread, and the best of some rounds counts. A model whose
batch is fixed at 1 is compared with this batch; its twin takes any batch, so its time at 100 is
printed as well. With wires, a patch of a sub-image has other effective weights at each of its
outputs, so its convolution has more numbers. For a crossbar of one place (partition none) the
number does not change.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from memxc import simulate, target
from memxc.backends import twin
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.evaluation import reference

ROOT = Path(__file__).parent.parent
MODELS = (
    ROOT / "models" / "msccnn_fashion.onnx",
    ROOT / "tests" / "exporters" / "shufflenet_dynamo20.onnx",
    ROOT / "tests" / "exporters" / "sefcn_dynamo20.onnx",
)
BATCHES, ROUNDS, SECONDS = (1, 100), 40, 0.02
CIRCUITS = {
    "no wires": ("wire.r_word_line=0", "wire.r_bit_line=0"),
    "wires of 1 ohm": ("wire.r_word_line=1", "wire.r_bit_line=1"),
}


def times(sessions, inputs) -> list[float]:
    """Milliseconds for a run of each, in turn: the best of some rounds of at least SECONDS."""
    found = np.zeros((ROUNDS, len(sessions)))
    for turn in range(ROUNDS):
        for index, (each, given) in enumerate(zip(sessions, inputs, strict=True)):
            started, runs = time.perf_counter(), 0
            while (passed := time.perf_counter() - started) < SECONDS / ROUNDS or not runs:
                each.run(None, given)
                runs += 1
            found[turn, index] = passed / runs
    return (found.min(axis=0) * 1e3).tolist()


def rows(path: Path, partition: str) -> None:
    """A line for each circuit and batch."""
    chosen = target.load("paper-128")
    compiled = compile_model(Options(path, chosen, partition=partition))
    original = reference.session(path.read_bytes())
    fixed = not isinstance(original.get_inputs()[0].shape[0], str)

    def batch(count):
        return {
            name: np.resize(values, (count, *values.shape[1:])).astype(np.float32)
            for name, values in compiled.samples.items()
        }

    for name, settings in CIRCUITS.items():
        started = time.perf_counter()
        made = twin.model(simulate.circuit(compiled.design, chosen.with_set(*settings)))
        writing = time.perf_counter() - started
        for count in BATCHES:
            other = 1 if fixed else count
            ours, theirs = times([reference.session(made), original], [batch(count), batch(other)])
            ours, theirs = ours / count, theirs / other
            print(
                f"{path.stem:24}{partition:8}{name:16}{count:5} {ours:10.4f}{theirs:10.4f}"
                f"{' (1)' if other < count else '    '}{ours / theirs:7.2f}{writing:9.2f}",
                flush=True,
            )


def main(paths: list[Path]) -> None:
    print(
        f"{'milliseconds an image':48}batch{'twin':>11}{'original':>10}{'ratio':>11}{'made, s':>9}"
    )
    for path in paths:
        for partition in ("none", "packed", "paper"):
            rows(path, partition)


if __name__ == "__main__":
    main([Path(path) for path in sys.argv[1:]] or list(MODELS))
