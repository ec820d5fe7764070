"""The small network and its samples are what its card says."""

import hashlib
import re
from pathlib import Path

import numpy as np

from memxc.evaluation import reference

MODELS = Path(__file__).parents[2] / "models"
CARD = (MODELS / "small_fashion.md").read_text("utf-8")


def test_samples_are_the_pictures_of_msccnn_averaged_and_classified_as_the_card_says():
    path = MODELS / "small_fashion.samples.npz"
    stated = re.findall(r"`small_fashion\.samples\.npz` \| `([0-9a-f]{64})`", CARD)
    assert [hashlib.sha256(path.read_bytes()).hexdigest()] == stated
    with np.load(path) as data, np.load(MODELS / "msccnn_fashion.samples.npz") as large:
        x, y, pictures = data["x"], data["y"], large["x"]
        assert (y == large["y"]).all()
    assert x[5, 8 * 2 + 3] == np.float32(pictures[5, 0, 8:11, 11:14].mean().round(4))
    (answers,) = reference.run(MODELS / "small_fashion.onnx", {"x": x}).values()
    hits = re.findall(r"with their labels: (\d+) are classified as labelled", CARD)
    assert [str((answers.argmax(axis=1) == y).sum())] == hits
