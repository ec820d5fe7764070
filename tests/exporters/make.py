"""Write the .onnx files beside this script: two networks, each exported from PyTorch in four ways.

    python tests/exporters/make.py

Made with torch 2.13.0, onnx 1.23.2 and onnxscript 0.7.2; another version may write other nodes,
which is what tests/test_exporters.py wants to see. The weights are random but repeatable; the
statistics of every batch normalisation are far from 0 and 1, so that a wrong fold shows.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

HERE = Path(__file__).parent
#: Height is not width, so that a swap shows.
SHAPES = {"shufflenet": (1, 3, 12, 20), "sefcn": (1, 2, 8, 12)}


def conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, group: int = 1) -> nn.Module:
    """A convolution without a bias and its batch normalisation."""
    weights = nn.Conv2d(
        inputs, outputs, kernel, stride, padding=kernel // 2, groups=group, bias=False
    )
    return nn.Sequential(weights, nn.BatchNorm2d(outputs))


def shuffled(x: Tensor) -> Tensor:
    """The channel shuffle of two groups."""
    batch, channels, height, width = x.shape
    x = x.view(batch, 2, channels // 2, height, width)
    return x.transpose(1, 2).reshape(batch, channels, height, width)


class Basic(nn.Module):
    """ShuffleNetV2's unit of stride 1: half of the channels pass by."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(
            conv(half, half),
            nn.ReLU(),
            conv(half, half, 3, group=half),
            conv(half, half),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Split, branch, concat, shuffle."""
        kept, worked = x.chunk(2, dim=1)
        return shuffled(torch.cat([kept, self.branch(worked)], dim=1))


class Down(nn.Module):
    """ShuffleNetV2's unit of stride 2: two branches."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.left = nn.Sequential(
            conv(inputs, inputs, 3, 2, group=inputs), conv(inputs, half), nn.ReLU()
        )
        self.right = nn.Sequential(
            conv(inputs, half), nn.ReLU(), conv(half, half, 3, 2, group=half), conv(half, half),
            nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Both branches, concat, shuffle."""
        return shuffled(torch.cat([self.left(x), self.right(x)], dim=1))


class ShuffleNet(nn.Module):
    """ShuffleNetV2 with two short stages, six classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 8, 3), nn.ReLU())
        self.stages = nn.Sequential(Down(8, 12), Basic(12), Down(12, 24), Basic(24), Basic(24))
        self.head = nn.Sequential(conv(24, 32), nn.ReLU())
        self.classes = nn.Linear(32, 6)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the classes."""
        x = self.head(self.stages(self.stem(x)))
        return self.classes(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


class Excited(nn.Module):
    """Two convolutions, then squeeze and excitation by two dense layers."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(inputs, outputs, 3), nn.ReLU(), conv(outputs, outputs, 3), nn.ReLU()
        )
        self.squeeze = nn.Linear(outputs, outputs // 4)
        self.excite = nn.Linear(outputs // 4, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """The map, each channel times its own gate."""
        x = self.body(x)
        batch, channels = x.shape[:2]
        gate = functional.adaptive_avg_pool2d(x, 1).view(batch, channels)
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(gate))))
        return x * gate.view(batch, channels, 1, 1)


class Fcn(nn.Module):
    """SE-FCN: an encoder of two levels, a decoder of transposed convolutions, two skips."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = Excited(2, 8), Excited(8, 12), Excited(12, 16)
        self.up_third = nn.Sequential(
            nn.ConvTranspose2d(16, 12, 2, 2, bias=False), nn.BatchNorm2d(12), nn.ReLU()
        )
        self.up_second = nn.Sequential(
            nn.ConvTranspose2d(12, 8, 4, 2, padding=1), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.mix = nn.Sequential(conv(16, 8, 3), nn.ReLU())
        self.mask = nn.Conv2d(8, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """A mask between 0 and 1 of the size of the picture."""
        first = self.first(x)
        second = self.second(functional.max_pool2d(first, 2))
        third = self.third(functional.max_pool2d(second, 2))
        x = self.up_second(self.up_third(third) + second)  # one skip is added, the other joined
        return torch.sigmoid(self.mask(self.mix(torch.cat([x, first], dim=1))))


def worn(net: nn.Module) -> nn.Module:
    """The network as if it had been trained: statistics, scales and biases far from 0 and 1."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.6, 1.6)
            nn.init.uniform_(module.bias, -0.3, 0.5)
            nn.init.uniform_(module.running_mean, -0.4, 0.4)
            nn.init.uniform_(module.running_var, 0.05, 0.6)
    return net.eval()


def export(net: nn.Module, shape: tuple[int, ...], stem: str) -> None:
    """What the new exporter of PyTorch writes and the old one, each also left unoptimised."""
    x = torch.linspace(0.0, 1.0, torch.Size(shape).numel()).reshape(shape)
    common = {"input_names": ["x"], "output_names": ["y"], "verbose": False}
    old = common | {"dynamo": False}
    torch.onnx.export(
        net, (x,), HERE / f"{stem}_dynamo20.onnx", opset_version=20, external_data=False, **common
    )
    torch.onnx.export(
        net,
        (x,),
        HERE / f"{stem}_rough18.onnx",
        opset_version=18,
        optimize=False,
        external_data=False,
        **common,
    )
    torch.onnx.export(net, (x,), HERE / f"{stem}_script17.onnx", opset_version=17, **old)
    torch.onnx.export(
        net,
        (x,),
        HERE / f"{stem}_plain13.onnx",
        opset_version=13,
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.EVAL,
        **old,
    )
    for path in sorted(HERE.glob(f"{stem}_*.onnx")):
        strip(path)


def strip(path: Path) -> None:
    """Take out what the exporters note about the machine: stack traces and paths."""
    model = onnx.load(path)
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    for part in (model, model.graph, *model.graph.node, *model.graph.initializer, *values):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    path.write_bytes(model.SerializeToString(deterministic=True))
    print(f"{path.name}: {path.stat().st_size} bytes, {len(model.graph.node)} nodes")


def main() -> None:
    """Write all files."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # the old exporter is deprecated; that is why it is here
    for stem, kind in (("shufflenet", ShuffleNet), ("sefcn", Fcn)):
        torch.manual_seed(20)
        with torch.no_grad():
            export(worn(kind()), SHAPES[stem], stem)


if __name__ == "__main__":
    main()
