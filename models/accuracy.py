"""Print a model's accuracy over the whole test set, with onnxruntime.

    python models/accuracy.py models/msccnn_fashion.onnx
    python models/accuracy.py models/resnet20_r000_s0.onnx --set cifar10 --data cifar-10-batches-py
    python models/accuracy.py models/shufflenetv2_x05_fer2013.onnx --set fer2013 --data fer2013.csv
    python models/accuracy.py models/sefcn_nuclei.onnx --set nuclei --data stage1_train

Right classes; for nuclei the mean over the held-out pictures of the Dice coefficient.
"""

import argparse
from pathlib import Path

import cifar10
import fashion
import fer2013
import nuclei
import numpy as np

from memxc.evaluation import reference

SETS = ("fashion", "cifar10", "fer2013", "nuclei")


def answers(model, x):
    """Return the model's output for float32 pictures, a hundred at a time."""
    session = reference.session(model)
    parts = [session.run(None, {"x": x[i : i + 100]})[0] for i in range(0, len(x), 100)]
    return np.concatenate(parts)


def pixels(x):
    """Return uint8 pictures as float32 in [0, 1]."""
    return x.astype(np.float32) / np.float32(255)


def pictures(name, path, part="test"):
    """Return `x` as the models take it, and the right answers: classes or masks.

    `part` is test or train.
    """
    train = part == "train"
    if name == "fashion":
        return fashion.load(path or fashion.DEBIAN, "train" if train else "t10k")
    if name == "cifar10":
        x, y = cifar10.load(path)[:2] if train else cifar10.load(path)[2:]
        return pixels(x), y
    if name == "fer2013":
        x, y = fer2013.load(path)["Training" if train else "PrivateTest"]
        return pixels(x), y
    parts = nuclei.split(*nuclei.load(path))
    x, m = parts[:2] if train else parts[2:]
    return nuclei.stretched(x), m[:, None]


def main():
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, help="the data set; may be left out for fashion")
    parser.add_argument("--set", choices=SETS, default="fashion")
    args = parser.parse_args()
    if args.data is None and args.set != "fashion":
        parser.error(f"--set {args.set} needs --data")
    x, wanted = pictures(args.set, args.data)
    found = answers(args.model, x)
    if args.set == "nuclei":
        score = nuclei.dice(wanted, found > 0.5)
        print(f"{args.model.name}: mean Dice {score.mean():.4f} over {len(x)} pictures")
    else:
        right = int((found.argmax(1) == wanted).sum())
        print(f"{args.model.name}: {100 * right / len(x):.2f} % ({right:,} of {len(x):,})")


if __name__ == "__main__":
    main()
