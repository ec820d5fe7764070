"""Train the MSCCNN-style network on Fashion-MNIST and export it to ONNX, twice.

    python models/train_msccnn.py            # writes beside this file, 13 minutes on a free core

Depthwise separable convolutions; average pooling and a 1x1 convolution instead of a dense head.
Written: msccnn_fashion.onnx (BatchNormalization folded), msccnn_fashion_bn.onnx (kept as nodes)
and msccnn_fashion.samples.npz (the first 64 test pictures). Only the last epoch counts: the test
set picks nothing.
"""

import argparse
import time
from pathlib import Path

import fashion
import numpy as np
import torch
from to_onnx import export, folded
from torch import nn
from torch.nn.functional import cross_entropy

HERE = Path(__file__).resolve().parent
SAMPLES = 64


class ConvBnRelu(nn.Sequential):
    """Convolution, BatchNormalization and ReLU; height and width stay the same."""

    def __init__(self, inputs, outputs, size, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, padding=size // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()


class Separable(nn.Sequential):
    """Depthwise 3x3, then pointwise 1x1 (the papers' 2D and 1D kernels)."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.depthwise = ConvBnRelu(inputs, inputs, 3, groups=inputs)
        self.pointwise = ConvBnRelu(inputs, outputs, 1)


class Msccnn(nn.Sequential):
    """(N, 1, 28, 28) pictures to (N, 10) logits; the modules run in the order written."""

    def __init__(self):
        super().__init__()
        self.stem = ConvBnRelu(1, 16, 3)
        self.pool1 = nn.MaxPool2d(2)
        self.block1 = Separable(16, 32)
        self.pool2 = nn.MaxPool2d(2)
        self.block2 = Separable(32, 64)
        self.block3 = Separable(64, 64)
        self.block4 = Separable(64, 64)
        self.block5 = Separable(64, 64)
        self.average = nn.AvgPool2d(7)
        self.head = nn.Conv2d(64, 10, 1)
        self.flatten = nn.Flatten()


def shifted(x, rng, most=1):
    """Return the pictures, shifted by up to `most` pixels each way and filled with zeros."""
    count, _, height, width = x.shape
    padded = nn.functional.pad(x, (most,) * 4)[:, 0]
    top, left = torch.randint(2 * most + 1, (2, count, 1), generator=rng)
    rows = top + torch.arange(height)
    cols = left + torch.arange(width)
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], cols[:, None, :]][:, None]


def accuracy(net, x, y):
    """Return the share of pictures whose largest logit is the label's."""
    net.eval()
    with torch.no_grad():
        hits = sum(
            int((net(a).argmax(1) == b).sum())
            for a, b in zip(x.split(500), y.split(500), strict=True)
        )
    return hits / len(y)


def train(net, x, y, test, args):
    """Train in place: SGD with Nesterov momentum, one learning-rate cycle over all steps."""
    rng = torch.Generator().manual_seed(args.seed)
    steps = len(x) // args.batch
    optimizer = torch.optim.SGD(
        net.parameters(), lr=args.lr, momentum=0.9, nesterov=True, weight_decay=args.decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, total_steps=steps * args.epochs, pct_start=0.2
    )
    for epoch in range(args.epochs):
        begin, total = time.perf_counter(), 0.0
        net.train()
        for batch in torch.randperm(len(x), generator=rng)[: steps * args.batch].split(args.batch):
            loss = cross_entropy(net(shifted(x[batch], rng)), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(
            f"epoch {epoch + 1}/{args.epochs}: loss {total / steps:.4f}, "
            f"test {100 * accuracy(net, *test):.2f} %, {time.perf_counter() - begin:.0f} s",
            flush=True,
        )


def main():
    """Read the command line, train, export."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, default=fashion.DEBIAN, help="folder of the idx.gz files"
    )
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.1, help="peak learning rate")
    parser.add_argument("--decay", type=float, default=5e-4, help="weight decay")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(args.seed)
    x, y = map(torch.from_numpy, fashion.load(args.data, "train"))
    x_test, y_test = fashion.load(args.data, "t10k")
    net = Msccnn()
    print(f"{sum(p.numel() for p in folded(net).parameters())} parameters with BN folded")
    train(net, x, y, (torch.from_numpy(x_test), torch.from_numpy(y_test)), args)

    export(folded(net), args.out / "msccnn_fashion.onnx", x.shape[1:])
    export(net, args.out / "msccnn_fashion_bn.onnx", x.shape[1:])
    np.savez_compressed(
        args.out / "msccnn_fashion.samples.npz", x=x_test[:SAMPLES], y=y_test[:SAMPLES]
    )


if __name__ == "__main__":
    main()
