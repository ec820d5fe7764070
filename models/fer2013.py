"""FER2013 faces (Kaggle 2013, research use only) as arrays. This project contains none."""

import csv
from pathlib import Path

import numpy as np

CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SPLITS = ("Training", "PublicTest", "PrivateTest")
# The classes in the order of their numbers in fer2013.csv; CLASSES is in alphabetical order.
CSV_CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SIDE = 48


def _csv(path):
    """Return pictures, labels and splits of the public fer2013.csv."""
    rows = []
    with path.open(newline="") as file:
        for emotion, pixels, usage in list(csv.reader(file))[1:]:
            label = CLASSES.index(CSV_CLASSES[int(emotion)])
            rows.append((np.array(pixels.split(), np.uint8), label, SPLITS.index(usage)))
    x, y, split = (np.array(part) for part in zip(*rows, strict=True))
    return x.reshape(-1, SIDE, SIDE), y, split


def _folder(path):
    """Return pictures, labels and splits of the image form: CLASS/Training_3908.jpg and so on."""
    from PIL import Image  # only this form of the set needs it

    files = [file for file in path.rglob("*_*.*") if file.suffix in (".jpg", ".png")]
    files.sort(key=lambda file: int(file.stem.split("_")[1]))
    x = np.stack([np.asarray(Image.open(file).convert("L")) for file in files])
    y = np.array([CLASSES.index(file.parent.name) for file in files])
    return x, y, np.array([SPLITS.index(file.stem.split("_")[0]) for file in files])


def load(path):
    """Return {split: (x (N, 1, 48, 48) uint8, y (N,) int64)} for the three official splits.

    `path` is fer2013.csv, a folder of pictures in folders of the classes, or an .npz with `x`, `y`
    (alphabetical classes) and `split` (0 Training, 1 PublicTest, 2 PrivateTest).
    """
    path = Path(path)
    if path.suffix == ".npz":
        with np.load(path) as data:
            x, y, split = (data[name] for name in ("x", "y", "split"))
    else:
        x, y, split = _csv(path) if path.suffix == ".csv" else _folder(path)
    parts = {name: split == number for number, name in enumerate(SPLITS)}
    return {name: (x[part][:, None], y[part].astype(np.int64)) for name, part in parts.items()}
