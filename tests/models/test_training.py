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
