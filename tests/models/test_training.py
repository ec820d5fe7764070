"""The scripts that train the reference networks, where torch is installed."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

MODELS = Path(__file__).parents[2] / "models"


@pytest.mark.parametrize(
    ("script", "picture"), [("train_shufflenet", (1, 48, 48)), ("train_resnet20", (3, 32, 32))]
)
def test_pictures_are_changed_where_they_are(script, picture, monkeypatch):
    """On another device than the generator's; `meta` mixes with no other, and is on every machine."""
    monkeypatch.syspath_prepend(MODELS)
    augment = importlib.import_module(script).augment
    x = torch.zeros(5, *picture, dtype=torch.uint8, device="meta")
    made = augment(x, torch.Generator().manual_seed(0))
    assert (made.device.type, made.shape, made.dtype) == ("meta", x.shape, torch.float32)


def test_separated_kernels_are_what_they_were_where_one_term_is_all(monkeypatch):
    """3D kernels of one outer product an input channel, and BatchNormalization that does much."""
    monkeypatch.syspath_prepend(MODELS)
    script = importlib.import_module("train_resnet20")
    torch.manual_seed(0)
    whole, net = script.ResNet20(0.0), script.ResNet20(1.0)
    pictures = torch.rand(20, 3, 32, 32)
    with torch.no_grad():
        for layer in script.kernels(whole):
            kernel = layer.conv.weight
            kernel.copy_(torch.randn(len(kernel), kernel.shape[1], 1, 1) * kernel[:1])
        whole.train()(pictures)
        script.separate(whole.eval(), net, pictures)
        wanted, found = whole(pictures), net.eval()(pictures)
    assert wanted.std() > 0.05
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
