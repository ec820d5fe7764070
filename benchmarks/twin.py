"""The twin beside the original model in ONNX Runtime: milliseconds an image, and their ratio.

python benchmarks/twin.py [MODEL.onnx [PARTITION ...]]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

from memxc import target
from memxc.backends import twin
from memxc.pipeline import Options, compile_model

MSCCNN = Path(__file__).parent.parent / "models" / "msccnn_fashion.onnx"
BATCH, ROUNDS = 100, 15


def session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options)


def times(sessions, inputs) -> list[float]:
    """Milliseconds an image of each, in turns: the best of some rounds."""
    found = np.zeros((ROUNDS, len(sessions)))
    for turn in range(ROUNDS):
        for index, each in enumerate(sessions):
            started = time.perf_counter()
            each.run(None, inputs)
            found[turn, index] = time.perf_counter() - started
    return (found.min(axis=0) / len(next(iter(inputs.values()))) * 1e3).tolist()


def main(path: Path, partitions: list[str]) -> None:
    original = session(path.read_bytes())
    for partition in partitions:
        compiled = compile_model(Options(path, target.load("hfox-128"), partition=partition))
        started = time.perf_counter()
        made = twin.model(compiled.design)
        writing = time.perf_counter() - started
        fixed = not isinstance(original.get_inputs()[0].shape[0], str)
        inputs = {
            name: np.resize(values, (1 if fixed else BATCH, *values.shape[1:])).astype(np.float32)
            for name, values in compiled.samples.items()
        }
        ours, theirs = times([session(made), original], inputs)
        size = len(next(iter(inputs.values())))
        print(
            f"{path.stem} {partition}: twin {ours:.4f} ms an image, original {theirs:.4f}, "
            f"ratio {ours / theirs:.2f}; batch {size}, one thread; written in {writing:.2f} s"
        )


if __name__ == "__main__":
    given = sys.argv[1:]
    main(Path(given[0]) if given else MSCCNN, given[1:] or ["none", "packed", "paper"])
