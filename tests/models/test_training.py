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
    """On another device than the generator's; `meta` mixes with no other and is everywhere."""
    monkeypatch.syspath_prepend(MODELS)
    augment = importlib.import_module(script).augment
    x = torch.zeros(5, *picture, dtype=torch.uint8, device="meta")
    made = augment(x, torch.Generator().manual_seed(0))
    assert (made.device.type, made.shape, made.dtype) == ("meta", x.shape, torch.float32)


def test_several_2d_kernels_are_trained_as_they_are_exported(monkeypatch):
    """In training as a sum, exported side by side; normalised alike, they give the same."""
    monkeypatch.syspath_prepend(MODELS)
    script = importlib.import_module("train_resnet20")
    torch.manual_seed(0)
    layer = script.Multiplied2D1D(3, 5, 2, multiplier=2)
    x = torch.rand(4, 3, 9, 7)
    with torch.no_grad():
        layer.train()(x)  # statistics that are none of a fresh layer's
        wanted = layer.eval()(x)
        layer.training = True  # the layer alone: its normalisations stay as in the export
        found = layer(x)
    assert wanted.shape == (4, 5, 5, 4)
    assert wanted.std() > 0.05
    torch.testing.assert_close(found, wanted)
