"""Train a LeNet-like network on Fashion-MNIST, the traditional twin of MSCCNN, export it to ONNX.

    python models/train_lenet.py             # writes beside this file

Ordinary 5x5 convolutions and a dense head. Data, loss, optimizer and augmentation are those of
train_msccnn.py; only the last epoch counts.
"""

import argparse
from pathlib import Path

import fashion
import torch
from to_onnx import export, folded
from torch import nn
from train_msccnn import train

HERE = Path(__file__).resolve().parent
WIDTHS = (16, 32)
DENSE = (120, 84)


def lenet():
    """Return the network from (N, 1, 28, 28) pictures in [0, 1] to (N, 10) logits."""
    net, inputs = nn.Sequential(), 1
    for outputs in WIDTHS:
        net.append(nn.Conv2d(inputs, outputs, 5, padding=2, bias=False))
        net.extend([nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)])
        inputs = outputs
    net.append(nn.Flatten())
    inputs *= 7 * 7
    for outputs in DENSE:
        net.extend([nn.Linear(inputs, outputs), nn.ReLU()])
        inputs = outputs
    return net.append(nn.Linear(inputs, 10))


def main():
    """Read the command line, train, export."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, default=fashion.DEBIAN, help="folder of the idx.gz files"
    )
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.05, help="peak learning rate")
    parser.add_argument("--decay", type=float, default=5e-4, help="weight decay")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(args.seed)
    x, y = map(torch.from_numpy, fashion.load(args.data, "train"))
    test = tuple(map(torch.from_numpy, fashion.load(args.data, "t10k")))
    net = lenet()
    train(net, x, y, test, args)
    export(folded(net), args.out / "lenet_fashion.onnx", x.shape[1:])


if __name__ == "__main__":
    main()
