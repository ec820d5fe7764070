"""DSB-2018 stage 1 cell nuclei (BBBC038, CC0): fluorescence pictures and their masks, 128x128.

The set is the Broad Bioimage Benchmark Collection's BBBC038v1, stage1_train: one folder a picture,
with `images/*.png` and, one file a nucleus, `masks/*.png`.
"""

from pathlib import Path

import numpy as np

SIZE = 128
HELD_OUT = 5


def _picture(folder):
    """Return a folder's picture (128x128, uint8), merged mask (bool), and whether it is stained."""
    from PIL import Image  # only this form of the set needs it

    (path,) = (folder / "images").glob("*.png")
    pixels = np.asarray(Image.open(path).convert("RGB"))
    masks = [np.asarray(Image.open(mask)) > 0 for mask in sorted((folder / "masks").glob("*.png"))]
    grey = Image.fromarray(pixels).convert("L").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    merged = Image.fromarray(np.any(masks, axis=0)).resize((SIZE, SIZE), Image.Resampling.NEAREST)
    stained = bool((pixels[..., 0] != pixels[..., 1]).any()) or grey.getextrema()[0] > SIZE
    return np.asarray(grey), np.asarray(merged), stained


def stretched(pixels):
    """Return (N, 1, 128, 128) float32: each uint8 picture, with its range stretched to [0, 1]."""
    x = pixels[:, None].astype(np.float32)
    low, high = (end(axis=(1, 2, 3), keepdims=True) for end in (x.min, x.max))
    return (x - low) / np.maximum(high - low, 1)


def load(path):
    """Return (x, m) of the fluorescence pictures: (N, 128, 128) uint8 and bool, in the set's order.

    `path` is the public folder stage1_train, or an .npz with `x`, `m` and `colour` (True where the
    picture is stained, not fluorescence).
    """
    path = Path(path)
    if path.suffix == ".npz":
        with np.load(path) as data:
            x, m, colour = data["x"], data["m"], data["colour"]
    else:
        parts = [_picture(folder) for folder in sorted(path.iterdir()) if folder.is_dir()]
        x, m, colour = (np.array(part) for part in zip(*parts, strict=True))
    return x[~colour], m[~colour]


def split(x, m):
    """Return (x_train, m_train, x_test, m_test): every fifth picture is held out."""
    test = np.arange(len(x)) % HELD_OUT == HELD_OUT - 1
    return x[~test], m[~test], x[test], m[test]


def dice(wanted, found):
    """Return each picture's Dice coefficient: bool masks (N, ...) to (N,) floats."""
    axes = tuple(range(1, wanted.ndim))
    both = (wanted & found).sum(axes)
    return 2 * both / np.maximum(wanted.sum(axes) + found.sum(axes), 1)
