"""Train one ResNet-20 (widths 16/32/64) on CIFAR-10 and export it to ONNX.

    python models/train_resnet20.py --data cifar-10-batches-py --ratio 0.5 --work DIR

`--ratio` is the share of the nineteen 3x3 convolutions that are 2D+1D kernels (depthwise, then
pointwise); the others are 3D (ordinary). All members are trained alike. After each epoch a
checkpoint goes to `--work`; the same command goes on from there. Only the last epoch counts: the
test set picks nothing.
"""

import argparse
from functools import partial
from pathlib import Path

import cifar10
import torch
import training
from to_onnx import export, folded
from torch import nn
from torch.nn.functional import conv2d, pad, relu

HERE = Path(__file__).resolve().parent
LAYERS = 19
WIDTHS = (16, 32, 64)
BLOCKS = 3


class Kernel3D(nn.Sequential):
    """Ordinary 3x3 convolution and BatchNormalization."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)


class Kernel2D1D(nn.Sequential):
    """Depthwise 3x3, BatchNormalization, pointwise 1x1, BatchNormalization.

    No ReLU between the two: in short runs on held-out training pictures it cost accuracy.
    """

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.depthwise_bn = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.pointwise_bn = nn.BatchNorm2d(outputs)


class Multiplied2D1D(nn.Module):
    """Like Kernel2D1D, but with `multiplier` 2D kernels for each channel (depth multiplier)."""

    def __init__(self, inputs, outputs, stride, multiplier):
        super().__init__()
        self.depthwise = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
                nn.BatchNorm2d(inputs),
            )
            for _ in range(multiplier)
        )
        self.pointwise = nn.Sequential(
            nn.Conv2d(multiplier * inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, x):
        parts = [depthwise(x) for depthwise in self.depthwise]
        if not self.training:
            return self.pointwise(torch.cat(parts, 1))
        # This computes the same and is several times as fast: the gradient of cat is slow to read.
        conv, norm = self.pointwise
        weights = conv.weight.chunk(len(parts), 1)
        return norm(sum(conv2d(*each) for each in zip(parts, weights, strict=True)))


class Block(nn.Module):
    """Two kernels and a shortcut without parameters: every stride-th pixel, new channels zero."""

    def __init__(self, kernels, inputs, outputs, stride):
        super().__init__()
        self.first = next(kernels)(inputs, outputs, stride)
        self.second = next(kernels)(outputs, outputs, 1)
        self.stride = stride
        self.extra = outputs - inputs

    def forward(self, x):
        y = self.second(relu(self.first(x)))
        if self.extra:
            x = pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
        return relu(x + y)


def is_2d1d(ratio):
    """Return for each of the nineteen 3x3 layers, stem first, whether it is 2D+1D.

    Evenly spread: floor(19 * ratio) layers; at 0.5 they are the first layers of all blocks.
    """
    return [int((layer + 1) * ratio) > int(layer * ratio) for layer in range(LAYERS)]


class ResNet20(nn.Module):
    """(N, 3, 32, 32) pictures in [0, 1] to (N, 10) logits."""

    def __init__(self, ratio, multiplier):
        super().__init__()
        several = partial(Multiplied2D1D, multiplier=multiplier)
        separable = Kernel2D1D if multiplier == 1 else several
        kernels = iter([separable if split else Kernel3D for split in is_2d1d(ratio)])
        self.stem = next(kernels)(3, WIDTHS[0], 1)
        self.blocks = nn.Sequential()
        inputs = WIDTHS[0]
        for outputs in WIDTHS:
            for _ in range(BLOCKS):
                self.blocks.append(Block(kernels, inputs, outputs, 1 + (inputs != outputs)))
                inputs = outputs
        self.average = nn.AvgPool2d(8)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(WIDTHS[-1], 10)

    def forward(self, x):
        return self.head(self.flatten(self.average(self.blocks(relu(self.stem(x))))))


def augment(x, rng, shift=4):
    """Return (N, 3, 32, 32) uint8 pictures as [0, 1] floats, shifted and half of them mirrored."""
    count, _, height, width = x.shape
    padded = pad(x, (shift,) * 4).permute(0, 2, 3, 1)
    top, left = torch.randint(2 * shift + 1, (2, count, 1), generator=rng)
    rows = top + torch.arange(height)
    cols = left + torch.arange(width)
    cols = torch.where(torch.rand(count, 1, generator=rng) < 0.5, cols.flip(1), cols)
    picture = torch.arange(count)[:, None, None]
    return padded[picture, rows[:, :, None], cols[:, None, :]].permute(0, 3, 1, 2) / 255


def arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="cifar-10-batches-py or an .npz")
    parser.add_argument("--work", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the .onnx file")
    parser.add_argument("--ratio", type=float, default=0.0, help="share of 2D+1D layers")
    parser.add_argument(
        "--depth-multiplier", type=int, default=1, help="2D kernels a channel of a 2D+1D layer"
    )
    training.arguments(parser, epochs=25)
    return parser.parse_args()


def main():
    """Train from the last checkpoint to the last epoch, then export."""
    args = arguments()
    torch.set_num_threads(1)
    x, y, x_test, y_test = (
        torch.from_numpy(part).to(args.device) for part in cifar10.load(args.data)
    )
    several = f"x{args.depth_multiplier}" if args.depth_multiplier > 1 else ""
    name = f"resnet20_r{round(100 * args.ratio):03d}{several}_s{args.seed}"
    torch.manual_seed(args.seed)
    recipe = training.recipe(args, "ratio", "depth_multiplier")
    net = ResNet20(args.ratio, args.depth_multiplier)
    run = training.Training(net, args, recipe, len(x), augment)
    run.run(name, args.work, (x, y), {"test": (x_test, y_test)})
    export(folded(run.net.cpu()), args.out / f"{name}.onnx", (3, 32, 32))


if __name__ == "__main__":
    main()
