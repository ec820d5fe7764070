"""Train a ShuffleNetV2 on FER2013 and export it to ONNX, BatchNormalization folded and kept.

    python models/train_shufflenet.py --data fer2013.csv --width 0.5 --work DIR

The layout is torchvision's (stride-2 stem, stride-2 max pool), with one grey channel in and seven
classes out. After each epoch a checkpoint goes to `--work`; the same command goes on from there.
Only the last epoch counts: the test pictures pick nothing.
"""

import argparse
import math
from pathlib import Path

import fer2013
import torch
import training
from to_onnx import export, folded
from torch import nn
from torch.nn.functional import affine_grid, grid_sample

HERE = Path(__file__).resolve().parent
WIDTHS = {0.5: (24, 48, 96, 192, 1024), 1.0: (24, 116, 232, 464, 1024)}
REPEATS = (4, 8, 4)


def conv_bn(inputs, outputs, size, stride=1, groups=1):
    """Return convolution and BatchNormalization."""
    return [
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def pointwise(inputs, outputs):
    """Return 1x1 convolution, BatchNormalization, ReLU."""
    return [*conv_bn(inputs, outputs, 1), nn.ReLU()]


class Unit(nn.Module):
    """One ShuffleNetV2 unit: two branches, joined and their channels shuffled.

    At stride 1 the first branch is the first half of the channels as they are. `side` is the height
    and width of the map out: a number, so that the exported Reshape has a constant shape.
    """

    def __init__(self, inputs, outputs, stride, side):
        super().__init__()
        self.half, self.side = outputs // 2, side
        self.split = stride == 1
        begin = self.half if self.split else inputs
        self.left = (
            nn.Identity()
            if self.split
            else nn.Sequential(
                *conv_bn(inputs, inputs, 3, stride, inputs), *pointwise(inputs, self.half)
            )
        )
        self.right = nn.Sequential(
            *pointwise(begin, self.half),
            *conv_bn(self.half, self.half, 3, stride, self.half),
            *pointwise(self.half, self.half),
        )

    def forward(self, x):
        left, right = torch.split(x, [self.half, self.half], 1) if self.split else (x, x)
        x = torch.cat([self.left(left), self.right(right)], 1)
        x = x.reshape(-1, 2, self.half, self.side, self.side).transpose(1, 2)
        return x.reshape(-1, 2 * self.half, self.side, self.side)


class ShuffleNetV2(nn.Module):
    """(N, 1, 48, 48) pictures in [0, 1] to (N, 7) logits."""

    def __init__(self, width):
        super().__init__()
        inputs, *stages, last = WIDTHS[width]
        self.stem = nn.Sequential(*conv_bn(1, inputs, 3, 2), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.units = nn.Sequential()
        side = fer2013.SIDE // 4
        for outputs, repeats in zip(stages, REPEATS, strict=True):
            side = math.ceil(side / 2)
            for index in range(repeats):
                self.units.append(Unit(inputs, outputs, 2 if index == 0 else 1, side))
                inputs = outputs
        self.last = nn.Sequential(*pointwise(inputs, last))
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(last, len(fer2013.CLASSES))

    def forward(self, x):
        x = self.last(self.units(self.pool(self.stem(x))))
        return self.head(self.flatten(self.average(x)))


def augment(x, rng, turn=15, zoom=0.15, shift=0.1, erase=16):
    """Return (N, 1, 48, 48) uint8 pictures as [0, 1] floats, each changed at random.

    Half mirrored; turned by up to `turn` degrees, zoomed and shifted by up to these shares; half of
    them with a grey square of up to `erase` pixels.
    """
    count, _, height, width = x.shape

    def chance(*shape):
        return 2 * torch.rand(count, *shape, generator=rng) - 1

    angle, scale = chance() * math.radians(turn), 1 + zoom * chance()
    mirror = chance().sign()
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = mirror * scale * angle.cos(), -scale * angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = mirror * scale * angle.sin(), scale * angle.cos()
    theta[:, :, 2] = 2 * shift * chance(2)
    # Random numbers come from the CPU, so that every device gets the same pictures.
    grid = affine_grid(theta, list(x.shape), align_corners=False).to(x.device)
    x = grid_sample(x / 255, grid, padding_mode="border", align_corners=False)
    size = erase * torch.rand(count, 1, generator=rng) * (chance(1) > 0)
    top, left = torch.rand(2, count, 1, generator=rng) * torch.tensor([[[height]], [[width]]])
    rows = (torch.arange(height) >= top) & (torch.arange(height) < top + size)
    cols = (torch.arange(width) >= left) & (torch.arange(width) < left + size)
    erased = (rows[:, :, None] & cols[:, None, :])[:, None]
    return x.masked_fill(erased.to(x.device), 0.5)


def arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="fer2013.csv, a folder of pictures or an .npz"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the .onnx files")
    parser.add_argument("--width", type=float, choices=sorted(WIDTHS), default=0.5)
    training.arguments(parser, epochs=40, smooth=0.1)
    parser.set_defaults(batch=64)
    return parser.parse_args()


def main():
    """Train from the last checkpoint to the last epoch, then export."""
    args = arguments()
    torch.set_num_threads(1)
    sets = {
        name: tuple(torch.from_numpy(array).to(args.device) for array in part)
        for name, part in fer2013.load(args.data).items()
    }
    name = f"shufflenetv2_x{round(10 * args.width):02d}_fer2013"
    torch.manual_seed(args.seed)
    recipe = training.recipe(args, "width", "smooth")
    # In float32, because bfloat16 is slower for small depthwise convolutions.
    run = training.Training(
        ShuffleNetV2(args.width), args, recipe, len(sets["Training"][0]), augment, 0.15, half=False
    )
    run.run(name, args.work, sets.pop("Training"), sets)
    for suffix, net in (("", folded(run.net)), ("_bn", run.net)):
        export(net.cpu(), args.out / f"{name}{suffix}.onnx", (1, fer2013.SIDE, fer2013.SIDE))


if __name__ == "__main__":
    main()
