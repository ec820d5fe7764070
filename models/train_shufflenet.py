"""Train a ShuffleNetV2 on FER2013 and export it to ONNX, BatchNormalization folded and kept.

    python models/train_shufflenet.py --data fer2013.csv --width 0.5 --work DIR

The layout is torchvision's (stride-2 stem, stride-2 max pool), with one grey channel in and seven
classes out. After each epoch a checkpoint goes to `--work`; the same command goes on from there.
Only the last epoch counts: the test pictures pick nothing.
"""

import argparse
import math
import time
from pathlib import Path

import fer2013
import torch
from to_onnx import export, folded
from torch import nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

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
    """Return (N, 1, 48, 48) uint8 pictures as [0, 1] floats, each changed by chance.

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
    grid = affine_grid(theta, list(x.shape), align_corners=False)
    x = grid_sample(x / 255, grid, padding_mode="border", align_corners=False)
    size = erase * torch.rand(count, 1, generator=rng) * (chance(1) > 0)
    top, left = (torch.rand(2, count, 1, generator=rng) * torch.tensor([[[height]], [[width]]]))
    rows = (torch.arange(height) >= top) & (torch.arange(height) < top + size)
    cols = (torch.arange(width) >= left) & (torch.arange(width) < left + size)
    return x.masked_fill((rows[:, :, None] & cols[:, None, :])[:, None], 0.5)


def accuracy(net, x, y):
    """Return the share of the uint8 pictures whose largest logit is the label's."""
    net.eval()
    with torch.no_grad():
        hits = sum(
            int((net(pictures / 255).argmax(1) == labels).sum())
            for pictures, labels in zip(x.split(500), y.split(500), strict=True)
        )
    return hits / len(y)


class Training:
    """A network on its way: everything that a checkpoint holds.

    SGD with Nesterov momentum, one learning-rate cycle over all steps. In float32: bfloat16 is
    slower here, the depthwise convolutions being small.
    """

    RECIPE = ("width", "seed", "epochs", "batch", "lr", "decay", "smooth")

    def __init__(self, args, pictures):
        torch.manual_seed(args.seed)
        self.recipe = {name: getattr(args, name) for name in self.RECIPE}
        self.rng = torch.Generator().manual_seed(args.seed)
        self.net = ShuffleNetV2(args.width).to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(
            self.net.parameters(), args.lr, momentum=0.9, nesterov=True, weight_decay=args.decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            args.lr,
            total_steps=pictures // args.batch * args.epochs,
            pct_start=0.15,
            cycle_momentum=False,
        )
        self.epoch = 0

    def run_epoch(self, x, y):
        """Train on every picture once, in random order; return the mean loss."""
        self.net.train()
        batch, smooth = self.recipe["batch"], self.recipe["smooth"]
        steps, total = len(x) // batch, 0.0
        for chosen in torch.randperm(len(x), generator=self.rng)[: steps * batch].split(batch):
            pictures = augment(x[chosen], self.rng)
            logits = self.net(pictures.contiguous(memory_format=torch.channels_last))
            loss = cross_entropy(logits, y[chosen], label_smoothing=smooth)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            total += loss.item()
        self.epoch += 1
        return total / steps

    def save(self, path):
        """Write the checkpoint; a run killed meanwhile keeps the one before."""
        part = path.with_suffix(".part")
        state = {
            name: getattr(self, name).state_dict() for name in ("net", "optimizer", "schedule")
        }
        state |= {"recipe": self.recipe, "epoch": self.epoch, "rng": self.rng.get_state()}
        torch.save(state, part)
        part.replace(path)

    def restore(self, path):
        """Go on from a checkpoint; SystemExit where another recipe wrote it."""
        state = torch.load(path, weights_only=True)
        if state["recipe"] != self.recipe:
            raise SystemExit(f"{path}: trained with {state['recipe']}, wanted {self.recipe}")
        for name in ("net", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.epoch = state["epoch"]
        self.rng.set_state(state["rng"])


def arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="fer2013.csv, a folder of pictures or an .npz"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the .onnx files")
    parser.add_argument("--width", type=float, choices=sorted(WIDTHS), default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.1, help="peak learning rate")
    parser.add_argument("--decay", type=float, default=5e-4, help="weight decay")
    parser.add_argument("--smooth", type=float, default=0.1, help="label smoothing")
    return parser.parse_args()


def main():
    """Train from the last checkpoint to the last epoch, then export."""
    args = arguments()
    torch.set_num_threads(1)
    sets = {
        name: tuple(map(torch.from_numpy, part)) for name, part in fer2013.load(args.data).items()
    }
    training = Training(args, len(sets["Training"][0]))
    name = f"shufflenetv2_x{round(10 * args.width):02d}_fer2013"
    checkpoint = args.work / f"{name}.pt"
    if checkpoint.exists():
        training.restore(checkpoint)
    while training.epoch < args.epochs:
        begin = time.perf_counter()
        loss = training.run_epoch(*sets["Training"])
        training.save(checkpoint)
        print(
            f"{name} epoch {training.epoch}/{args.epochs}: loss {loss:.4f}, "
            + "".join(
                f"{part} {100 * accuracy(training.net, *sets[part]):.2f} %, "
                for part in ("PublicTest", "PrivateTest")
            )
            + f"{time.perf_counter() - begin:.0f} s",
            flush=True,
        )
    for suffix, net in (("", folded(training.net)), ("_bn", training.net)):
        export(net, args.out / f"{name}{suffix}.onnx", (1, fer2013.SIDE, fer2013.SIDE))


if __name__ == "__main__":
    main()
