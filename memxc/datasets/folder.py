"""A folder of pictures, or of one folder for each class, as torchvision's ImageFolder has them."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc import jobs
from memxc.datasets import Part, Raw
from memxc.datasets._common import spread, wrong
from memxc.errors import Fault, MemxcError, fail

KIND = "a folder of pictures, or of folders of pictures, one for each class"
_ENDS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
#: The largest picture, in pixels: Pillow warns above 89 million.
_PIXELS = 1 << 26
_GRAY = ("1", "L", "I", "I;16", "F", "LA")


def fits(path: Path) -> bool:
    """Return whether there is a picture in the folder, or in a folder of it."""
    return path.is_dir() and next(iter(_pictures(path)), None) is not None


def read(path: Path, part: Part, count: int | None) -> Raw:
    """Return pictures (samples, height, width) or with 3 channels, and the number of their folder.

    A folder `test` or `train` in it is the part. All pictures have one size: `sized` brings them to
    it.
    """
    return sized(path, part, count, None)


def sized(path: Path, part: Part, count: int | None, size: tuple[int, int] | None) -> Raw:
    """Return the pictures as `read` does, at a height and a width."""
    if importlib.util.find_spec("PIL") is None:
        hint = "pip install 'memxc[pictures]'"
        raise fail("missing-engine", str(path), "Pillow, which reads pictures, is missing", hint)
    base = path / part if (path / part).is_dir() else path
    every = _pictures(base)
    files = [every[n] for n in spread(len(every), count)]
    if not files:
        raise wrong(base, "has no pictures")
    found = _decoded(files, size)
    shapes = {array.shape for array in found}
    if len(shapes) > 1:
        sizes = ", ".join(sorted("x".join(map(str, shape)) for shape in shapes)[:4])
        what = f"has pictures of different sizes or channels: {sizes}"
        raise wrong(base, what, "give a size, as in --size 32x32")
    if base in {file.parent for file in every}:
        return Raw(np.stack(found), None, pictures=True)
    classes = tuple(sorted({file.parent.name for file in every}))
    labels = np.array([classes.index(file.parent.name) for file in files], dtype=np.int64)
    return Raw(np.stack(found), labels, True, classes)


def _decoded(files: Sequence[Path], size: tuple[int, int] | None) -> list[NDArray[Any]]:
    """Return the pictures. Raises MemxcError with a fault for each that is none."""
    found, faults = list[NDArray[Any]](), list[Fault]()
    # Decoders run in a process of their own: one that a hostile picture kills is a fault.
    with jobs.pool(1) as pool:
        answers = pool.ordered(decoded, [(file, size) for file in files])
        for file in files:
            try:
                answer = next(answers)
            except jobs.Died as error:
                raise wrong(file, f"or one after it cannot be read: its decoder {error}") from error
            if isinstance(answer, str):
                faults.append(Fault("bad-samples", str(file), answer))
            else:
                found.append(answer)
    if faults:
        raise MemxcError(faults)
    return found


def decoded(file: Path, size: tuple[int, int] | None) -> NDArray[Any] | str:
    """Return a picture as bytes, (height, width) or (height, width, 3), or why it is none."""
    from PIL import Image  # noqa: PLC0415  (an extra)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(file) as picture:
                if picture.width * picture.height > _PIXELS:
                    return f"has more than {_PIXELS:,} pixels"
                plain = picture.convert("L" if picture.mode in _GRAY else "RGB")
                if size is not None:
                    plain = plain.resize(size[::-1], Image.Resampling.BILINEAR)
                return np.asarray(plain)
    except Exception as error:  # noqa: BLE001 - Pillow's decoders raise anything
        return f"is no picture that Pillow reads: {error}"


def _pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder and of the folders in it, by name."""
    there = (*folder.glob("*"), *folder.glob("*/*"))
    return sorted(path for path in there if path.suffix.lower() in _ENDS and path.is_file())
