"""Train a small VGG-like network on CIFAR-10 and export it to ONNX.

    python models/train_vgg8.py --data cifar-10-batches-py --work DIR

Six 3x3 convolutions of 32, 64 and 128 channels and two dense layers. After each epoch a checkpoint
goes to `--work`; the same command goes on from there. Only the last epoch counts: the test set
picks nothing.
"""

import argparse
from pathlib import Path

import cifar10
import torch
import training
from to_onnx import export, folded
from torch import nn
from train_resnet20 import augment

HERE = Path(__file__).resolve().parent
WIDTHS = (32, 64, 128)
DENSE = 256


def vgg8():
    """Return the network from (N, 3, 32, 32) pictures in [0, 1] to (N, 10) logits."""
    net, inputs = nn.Sequential(), 3
    for outputs in WIDTHS:
        for _ in range(2):
            net.append(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
            net.append(nn.BatchNorm2d(outputs))
            net.append(nn.ReLU())
            inputs = outputs
        net.append(nn.MaxPool2d(2))
    side = 32 // 2 ** len(WIDTHS)
    return net.extend(
        [nn.Flatten(), nn.Linear(inputs * side**2, DENSE), nn.ReLU(), nn.Linear(DENSE, 10)]
    )


def main():
    """Train from the last checkpoint to the last epoch, then export."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="cifar-10-batches-py or an .npz")
    parser.add_argument("--work", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the .onnx file")
    training.arguments(parser, epochs=12)
    args = parser.parse_args()

    torch.set_num_threads(1)
    x, y, x_test, y_test = (
        torch.from_numpy(part).to(args.device) for part in cifar10.load(args.data)
    )
    torch.manual_seed(args.seed)
    run = training.Training(vgg8(), args, training.recipe(args), len(x), augment)
    run.run("vgg8_cifar10", args.work, (x, y), {"test": (x_test, y_test)})
    export(folded(run.net.cpu()), args.out / "vgg8_cifar10.onnx", (3, 32, 32))


if __name__ == "__main__":
    main()
