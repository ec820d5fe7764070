"""Print a Fashion-MNIST model's accuracy over the 10,000 test pictures, with onnxruntime.

python models/accuracy.py models/msccnn_fashion.onnx
"""

import argparse
from pathlib import Path

import fashion
import onnxruntime


def hits(model, x, y):
    """Return how many of the pictures have their largest logit at the label."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return sum(
        int((session.run(["logits"], {"x": x[i : i + 500]})[0].argmax(1) == y[i : i + 500]).sum())
        for i in range(0, len(x), 500)
    )


def main():
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument(
        "--data", type=Path, default=fashion.DEBIAN, help="folder of the idx.gz files"
    )
    args = parser.parse_args()
    x, y = fashion.load(args.data, "t10k")
    right = hits(args.model, x, y)
    print(f"{args.model.name}: {100 * right / len(y):.2f} % ({right:,} of {len(y):,})")


if __name__ == "__main__":
    main()
