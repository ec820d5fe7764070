"""Train one ResNet-20 (widths 16/32/64) on CIFAR-10 and export it to ONNX.

    python models/train_resnet20.py --data cifar-10-batches-py --ratio 0.5 --work DIR

`--ratio` is the share of the nineteen 3x3 convolutions that are 2D+1D kernels (depthwise, then
pointwise); the others are 3D (ordinary). All members are trained alike. After each epoch a
checkpoint goes to `--work`; the same command goes on from there. Only the last epoch counts: the
test set picks nothing.
"""

import argparse
import time
from pathlib import Path

import cifar10
import torch
from to_onnx import export, folded
from torch import nn
from torch.nn.functional import cross_entropy, pad, relu

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
    """Say for each of the nineteen 3x3 layers, stem first, whether it is 2D+1D.

    Evenly spread: floor(19 * ratio) layers; at 0.5 they are the first layers of all blocks.
    """
    return [int((layer + 1) * ratio) > int(layer * ratio) for layer in range(LAYERS)]


class ResNet20(nn.Module):
    """(N, 3, 32, 32) pictures in [0, 1] to (N, 10) logits."""

    def __init__(self, ratio):
        super().__init__()
        kernels = iter([Kernel2D1D if separable else Kernel3D for separable in is_2d1d(ratio)])
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

    SGD with Nesterov momentum, one learning-rate cycle over all steps, convolutions in bfloat16.
    """

    RECIPE = ("ratio", "seed", "epochs", "batch", "lr", "decay")

    def __init__(self, args, pictures):
        torch.manual_seed(args.seed)
        self.recipe = {name: getattr(args, name) for name in self.RECIPE}
        self.device = args.device
        self.rng = torch.Generator().manual_seed(args.seed)
        self.net = ResNet20(args.ratio).to(args.device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(
            self.net.parameters(), args.lr, momentum=0.9, nesterov=True, weight_decay=args.decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            args.lr,
            total_steps=pictures // args.batch * args.epochs,
            pct_start=0.1,
            cycle_momentum=False,
        )
        self.epoch = 0

    def run_epoch(self, x, y):
        """Train on every picture once, in random order; return the mean loss."""
        self.net.train()
        batch = self.recipe["batch"]
        steps = len(x) // batch
        total = 0.0
        for chosen in torch.randperm(len(x), generator=self.rng)[: steps * batch].split(batch):
            pictures = augment(x[chosen], self.rng)
            with torch.autocast(self.device, torch.bfloat16):
                logits = self.net(pictures)
            loss = cross_entropy(logits.float(), y[chosen])
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
        state = torch.load(path, weights_only=True, map_location="cpu")
        if state["recipe"] != self.recipe:
            raise SystemExit(f"{path}: trained with {state['recipe']}, wanted {self.recipe}")
        for name in ("net", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.epoch = state["epoch"]
        self.rng.set_state(state["rng"])


def arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="cifar-10-batches-py or an .npz")
    parser.add_argument("--work", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the .onnx file")
    parser.add_argument("--ratio", type=float, default=0.0, help="share of 2D+1D layers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.1, help="peak learning rate")
    parser.add_argument("--decay", type=float, default=5e-4, help="weight decay")
    parser.add_argument("--device", default="cpu", help="cpu (one thread) or cuda")
    return parser.parse_args()


def main():
    """Train from the last checkpoint to the last epoch, then export."""
    args = arguments()
    torch.set_num_threads(1)
    x, y, x_test, y_test = (
        torch.from_numpy(part).to(args.device) for part in cifar10.load(args.data)
    )
    training = Training(args, len(x))
    name = f"resnet20_r{round(100 * args.ratio):03d}_s{args.seed}"
    checkpoint = args.work / f"{name}.pt"
    if checkpoint.exists():
        training.restore(checkpoint)
    while training.epoch < args.epochs:
        begin = time.perf_counter()
        loss = training.run_epoch(x, y)
        training.save(checkpoint)
        print(
            f"{name} epoch {training.epoch}/{args.epochs}: loss {loss:.4f}, "
            f"test {100 * accuracy(training.net, x_test, y_test):.2f} %, "
            f"{time.perf_counter() - begin:.0f} s",
            flush=True,
        )
    export(folded(training.net.cpu()), args.out / f"{name}.onnx", (3, 32, 32))


if __name__ == "__main__":
    main()
