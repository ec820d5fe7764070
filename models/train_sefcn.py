"""Train the SE-FCN on DSB-2018 nuclei and export it to ONNX; prune and retrain it.

    python models/train_sefcn.py --data stage1_train --work DIR
    python models/train_sefcn.py --data stage1_train --work DIR --prune 0.6 --epochs 25 --lr 0.003

An encoder with squeeze-and-excitation and a ConvTranspose decoder with skips. The first command
writes sefcn_nuclei.onnx and sefcn_nuclei.samples.npz. The second, which wants the first one's
checkpoint in `--work`, zeroes weights until that share of the multiplications (non-zero weights x
map, counted kernel element by kernel element) has gone, retrains around the zeros and writes
sefcn_nuclei_pruned.onnx. Only the last epoch counts: the held-out pictures pick nothing.
"""

import argparse
import math
import time
from pathlib import Path

import nuclei
import numpy as np
import torch
from to_onnx import export, folded
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

HERE = Path(__file__).resolve().parent
WIDTHS = (8, 16, 32, 64)
SQUEEZE = 4
KEPT = 0.25
SAMPLES = 32
PICTURE = (1, nuclei.SIZE, nuclei.SIZE)


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate in (0, 1), computed from the averages of the channels."""

    def __init__(self, channels):
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // SQUEEZE, 1),
            nn.ReLU(),
            nn.Conv2d(channels // SQUEEZE, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.gate(x)


def conv_bn_relu(inputs, outputs):
    """Return 3x3 convolution, BatchNormalization and ReLU; height and width stay the same."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class SeFcn(nn.Module):
    """(N, 1, 128, 128) pictures in [0, 1] to masks of that shape; above 0.5 is nucleus."""

    def __init__(self):
        super().__init__()
        self.down, self.up, self.merge = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        inputs = 1
        for width in WIDTHS:
            level = (conv_bn_relu(inputs, width), conv_bn_relu(width, width), SqueezeExcite(width))
            self.down.append(nn.Sequential(*level))
            inputs = width
        for width in WIDTHS[-2::-1]:
            self.up.append(nn.ConvTranspose2d(inputs, width, 2, stride=2))
            self.merge.append(conv_bn_relu(width, width))
            inputs = width
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(inputs, 1, 1)

    def forward(self, x):
        return self.logits(x).sigmoid()

    def logits(self, x):
        """Return the logits, before the sigmoid."""
        skips = []
        for level in self.down:
            x = level(self.pool(x) if skips else x)
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1], strict=True):
            x = merge(up(x) + skip)
        return self.head(x)


def layers(net):
    """Return the layers with weights to prune or count, in the order of the modules."""
    return [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]


def map_sizes(net):
    """Return, for each layer, the number of pixels with which one weight is multiplied.

    The pixels of the map out; of the map in for ConvTranspose.
    """
    sizes = []

    def note(layer, x, y):
        sizes.append((layer, (x[0] if isinstance(layer, nn.ConvTranspose2d) else y)[0, 0].numel()))

    hooks = [layer.register_forward_hook(note) for layer in layers(net)]
    with torch.no_grad():
        net.eval()(torch.zeros(1, *PICTURE))
    for hook in hooks:
        hook.remove()
    sizes = dict(sizes)
    return [sizes[layer] for layer in layers(net)]


def multiplications(net, sizes):
    """Return the sum over layers of non-zero weights x map."""
    return sum(
        int(layer.weight.count_nonzero()) * size
        for layer, size in zip(layers(net), sizes, strict=True)
    )


def masks(net, share):
    """Return 0/1 masks, one for each layer, that remove at least this share of multiplications.

    Weights go in the order of (|w| / the layer's root mean square)^2 / sqrt(map),
    BatchNormalization folded in: what says little and costs many multiplications goes first. A
    layer keeps its largest KEPT weights, the first and the last layer all of theirs (two weights
    of one sign after a ReLU, all that was left of the last one in a trial, never learnt again).
    """
    sizes = map_sizes(net)
    weights = [layer.weight.detach() for layer in layers(folded(net))]
    kept = [1.0, *[KEPT] * (len(weights) - 2), 1.0]
    scores, costs = [], []
    for w, size, least in zip(weights, sizes, kept, strict=True):
        score = (w**2 / (w**2).mean() / size**0.5).flatten()
        score[score.topk(math.ceil(least * len(score))).indices] = math.inf
        scores.append(score)
        costs.append(torch.full_like(score, size, dtype=torch.int64))
    scores, costs = torch.cat(scores), torch.cat(costs)
    order = scores.argsort()
    gone = torch.cat([torch.zeros(1, dtype=torch.int64), costs[order].cumsum(0)])
    keep = torch.ones_like(scores)
    keep[order[: int((gone < share * gone[-1]).sum())]] = 0
    parts = keep.split([w.numel() for w in weights])
    return [part.reshape(w.shape) for part, w in zip(parts, weights, strict=True)]


def apply(net, mask):
    """Zero the masked weights in place."""
    with torch.no_grad():
        for layer, keep in zip(layers(net), mask, strict=True):
            layer.weight *= keep


def turned(x, m, rng):
    """Return the pictures and masks, randomly mirrored and transposed in the same way."""
    both = torch.cat([x, m], 1)
    for change in (lambda t: t.flip(3), lambda t: t.flip(2), lambda t: t.transpose(2, 3)):
        chosen = torch.rand(len(both), 1, 1, 1, generator=rng) < 0.5
        both = torch.where(chosen, change(both), both)
    return both[:, :1], both[:, 1:]


def loss_of(logits, m):
    """Return binary cross-entropy plus one minus the soft Dice coefficient of each picture."""
    p = logits.sigmoid()
    overlap = 2 * (p * m).sum((1, 2, 3)) / (p.sum((1, 2, 3)) + m.sum((1, 2, 3)) + 1)
    return binary_cross_entropy_with_logits(logits, m) + (1 - overlap).mean()


def mean_dice(net, x, m):
    """Return the mean over the pictures of the Dice coefficient."""
    with torch.no_grad():
        found = torch.cat([net.eval()(part) > 0.5 for part in x.split(50)])
    return float(nuclei.dice(m.numpy() > 0, found.numpy()).mean())


class Training:
    """The state of a training: AdamW, one learning-rate cycle, convolutions in bfloat16."""

    def __init__(self, net, mask, pictures, args):
        self.net, self.mask, self.batch = net, mask, args.batch
        self.rng = torch.Generator().manual_seed(args.seed)
        self.optimizer = torch.optim.AdamW(net.parameters(), weight_decay=args.decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, args.lr, total_steps=pictures // args.batch * args.epochs, pct_start=0.2
        )
        self.epoch = 0

    def run_epoch(self, x, m):
        """Train on every picture once, in random order; return the mean loss."""
        self.net.train()
        steps, total = len(x) // self.batch, 0.0
        chosen = torch.randperm(len(x), generator=self.rng)[: steps * self.batch]
        for batch in chosen.split(self.batch):
            pictures, wanted = turned(x[batch], m[batch], self.rng)
            with torch.autocast("cpu", torch.bfloat16):
                logits = self.net.logits(pictures.contiguous(memory_format=torch.channels_last))
            loss = loss_of(logits.float(), wanted)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            apply(self.net, self.mask)
            total += loss.item()
        self.epoch += 1
        return total / steps

    def save(self, path):
        """Write the checkpoint. If the process is killed meanwhile, the previous one remains."""
        parts = ("net", "optimizer", "schedule")
        state = {name: getattr(self, name).state_dict() for name in parts}
        state |= {"epoch": self.epoch, "rng": self.rng.get_state(), "mask": self.mask}
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def restore(self, path):
        """Continue from a checkpoint of the same command."""
        state = torch.load(path, weights_only=True)
        for name in ("net", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.epoch, self.mask = state["epoch"], state["mask"]
        self.rng.set_state(state["rng"])


def arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="stage1_train or an .npz")
    parser.add_argument("--work", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--prune", type=float, help="share of the multiplications to remove")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=5e-3, help="peak learning rate")
    parser.add_argument("--decay", type=float, default=1e-3, help="weight decay")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def start(args, test):
    """Return the name, the initial network and the masks."""
    net = SeFcn().to(memory_format=torch.channels_last)
    ones = [torch.ones_like(layer.weight) for layer in layers(net)]
    if args.prune is None:
        return "sefcn_nuclei", net, ones
    net.load_state_dict(torch.load(args.work / "sefcn_nuclei.pt", weights_only=True)["net"])
    sizes = map_sizes(net)
    whole, before = multiplications(net, sizes), mean_dice(net, *test)
    mask = masks(net, args.prune)
    apply(net, mask)
    left = multiplications(net, sizes)
    print(
        f"{left:,} of {whole:,} multiplications left ({100 * (1 - left / whole):.2f} % gone), "
        f"Dice {before:.4f} -> {mean_dice(net, *test):.4f} without retraining",
        flush=True,
    )
    for layer, keep, size in zip(layers(net), mask, sizes, strict=True):
        print(f"  {tuple(layer.weight.shape)} x {size}: {int(keep.sum())} of {keep.numel()} left")
    return "sefcn_nuclei_pruned", net, mask


def main():
    """Train from the last checkpoint to the last epoch, then export."""
    args = arguments()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    x, m, x_test, m_test = nuclei.split(*nuclei.load(args.data))
    train, test = (
        (torch.from_numpy(nuclei.stretched(a)), torch.from_numpy(b[:, None].astype(np.float32)))
        for a, b in ((x, m), (x_test, m_test))
    )
    name, net, mask = start(args, test)
    training = Training(net, mask, len(x), args)
    checkpoint = args.work / f"{name}.pt"
    if checkpoint.exists():
        training.restore(checkpoint)
    while training.epoch < args.epochs:
        begin = time.perf_counter()
        loss = training.run_epoch(*train)
        training.save(checkpoint)
        print(
            f"{name} epoch {training.epoch}/{args.epochs}: loss {loss:.4f}, "
            f"test Dice {mean_dice(net, *test):.4f}, {time.perf_counter() - begin:.0f} s",
            flush=True,
        )
    export(folded(net), args.out / f"{name}.onnx", PICTURE, "mask")
    np.savez_compressed(
        args.out / "sefcn_nuclei.samples.npz",
        x=nuclei.stretched(x_test[:SAMPLES]),
        y=m_test[:SAMPLES, None],
    )


if __name__ == "__main__":
    main()
