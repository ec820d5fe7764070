"""Files of samples: what `--samples`, `--data` and the keyword `samples` of memxc.compile take.

    x, y = samples.load("fashion-mnist", count=64)    # the files of a public data set
    x, y = samples.dataset(test_set, 64)          # a data set of torch
    x = samples.images(pictures, mean=0.5, std=0.25)
    samples.save("net.samples.npz", x, y)

A file has an array for each input of the network and, if they are known, the labels `y`. Samples
are along the first axis of each array. docs/simulate.md describes the labels.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, SupportsIndex, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memxc import datasets
from memxc.build_folder.write import write_file
from memxc.datasets import Part, folder
from memxc.errors import Fault, MemxcError, fail
from memxc.evaluation.samples import read
from memxc.ir import store
from memxc.library import keywords

__all__ = ["dataset", "images", "load", "save"]


def save(
    path: str | Path,
    inputs: ArrayLike | Mapping[str, ArrayLike],
    labels: ArrayLike | None = None,
) -> None:
    """Write samples to an .npz file. Equal samples give equal bytes.

    inputs: an array (samples, *shape without batch) for a network of one input, or arrays by the
    names of the inputs. labels: (samples,) classes from 0 on, or (samples, *shape) masks.
    The file is written whole or not at all, with the folders above it.

    Raises MemxcError: bad-samples, with everything that the commands would refuse for any model;
    usage for a wrong name or path; cannot-write.
    """
    place = keywords.path("path", path)
    arrays = by_name(str(path), inputs, labels)
    names = [name for name in arrays if labels is None or name != "y"]
    shapes = {name: (1, *arrays[name].shape[1:]) for name in names}
    with tempfile.TemporaryDirectory() as holder:
        made = Path(holder) / "samples.npz"
        store.write_npz(made, arrays)
        try:
            # The rules are in the reader, so read the file back to check it.
            read(made, shapes)
        except MemxcError as error:
            raise MemxcError(
                replace(fault, where=fault.where.replace(str(made), str(path)))
                for fault in error.faults
            ) from None
        write_file(place, made.read_bytes())


def by_name(
    where: str, inputs: ArrayLike | Mapping[str, ArrayLike], labels: ArrayLike | None = None
) -> dict[str, NDArray[Any]]:
    """Arrays by name, as in an .npz file: an array without a name is `x`, labels are `y`.

    where: the name of the samples in faults. Raises MemxcError with everything that is wrong: usage
    if there are no inputs, or one has the name of the labels; bad-samples.
    """
    parts = list(inputs.items()) if isinstance(inputs, Mapping) else [("x", inputs)]
    faults = [] if parts else [Fault("usage", where, "there are no inputs")]
    if labels is not None:
        if "y" in dict(parts):
            faults.append(Fault("usage", where, "an input has the name of the labels, y"))
        parts.append(("y", labels))
    arrays, no_numbers = _arrays((f"{where}:{name}", values) for name, values in parts)
    if faults or no_numbers:
        raise MemxcError([*faults, *no_numbers])
    return {name: array for (name, _), (_, array) in zip(parts, arrays, strict=True)}


def images(
    pictures: Iterable[Any], mean: ArrayLike = 0.0, std: ArrayLike = 1.0
) -> NDArray[np.float32]:
    """Return pictures as inputs of a network: (pictures, channels, height, width), float32.

    pictures: arrays (height, width) or (height, width, channels), or pictures of Pillow, all of one
    size. Whole numbers of 8 bits are divided by 255; other numbers stay as they are. Then `mean` is
    subtracted and the result is divided by `std`; each is a number, or one for each channel.

    Raises MemxcError (bad-samples) with a fault for each wrong picture.
    """
    named = ((f"picture {number}", picture) for number, picture in enumerate(pictures, 1))
    arrays, faults = _arrays(named)
    found: list[tuple[str, NDArray[Any]]] = []
    for where, array in arrays:
        if array.ndim not in (2, 3):
            what = f"has {array.ndim} axes, not height and width, with or without channels"
            faults.append(Fault("bad-samples", where, what))
        elif found and (array.shape, array.dtype) != (found[0][1].shape, found[0][1].dtype):
            name, first = found[0]
            what = f"is {array.dtype} {array.shape}, and {name} is {first.dtype} {first.shape}"
            faults.append(Fault("bad-samples", where, what, "bring all to one size and type first"))
        else:
            found.append((where, array))
    if faults or not found:
        raise MemxcError(faults or Fault("bad-samples", "pictures", "there are none"))
    stacked = np.stack([array for _, array in found])
    values = stacked.astype(np.float64) / (255 if stacked.dtype == np.uint8 else 1)
    values = values[:, None] if values.ndim == 3 else np.moveaxis(values, 3, 1)
    scales, faults = _arrays([("mean", mean), ("std", std)])
    faults += [fault for scale in scales for fault in _scale_faults(*scale, values.shape[1])]
    if faults:
        raise MemxcError(faults)
    less, over = (array.reshape(-1, 1, 1) for _, array in scales)
    return np.asarray((values - less) / over, dtype=np.float32)


def load(
    source: str | Path,
    *,
    part: Part = "test",
    count: int | None = None,
    size: tuple[int, int] | None = None,
    shape: Sequence[int] | None = None,
    mean: ArrayLike = 0.0,
    std: ArrayLike = 1.0,
) -> tuple[NDArray[np.float32], NDArray[Any] | None]:
    """Return samples (samples, *shape) out of the files of a data set, and labels if it has any.

    source: a folder of pictures, or with a folder of pictures for each class; a folder with the idx
    files of MNIST or Fashion-MNIST; the binary version of CIFAR-10 or CIFAR-100; a .npy file; or a
    .csv table, with a label in the column label, y, class, target or emotion (docs/simulate.md).
    count: so many samples at equal distances, or all. size: height and width that the pictures of a
    folder are brought to. shape: of a sample, for numbers that are not pictures. Pictures become
    inputs as `images` makes them; from other numbers `mean` is subtracted, and they are divided by
    `std`, both numbers.

    Raises MemxcError: usage, bad-samples, or missing-engine if Pillow is needed and missing.
    """
    if count is not None and (not isinstance(count, SupportsIndex) or count.__index__() < 1):
        raise fail("usage", "count", f"{count!r} is not a whole number of at least 1")
    if part not in get_args(Part):
        raise fail("usage", "part", f"{part!r} is not one of {', '.join(get_args(Part))}")
    path = Path(source)
    if size is not None and not folder.fits(path):
        raise fail("usage", "size", f"{path} is no folder of pictures, which have sizes")
    if not path.exists():
        raise fail("usage", str(path), "no such file or folder")
    raw = (
        datasets.read(path, part, count) if size is None else folder.sized(path, part, count, size)
    )
    if raw.pictures:
        if shape is not None:
            raise fail("usage", "shape", f"{path} has pictures, which have their own shape")
        return images(raw.values, mean, std), raw.labels
    values = np.asarray(raw.values, dtype=np.float64)
    if shape is not None:
        if math.prod(shape) != math.prod(values.shape[1:]):
            what = f"{tuple(shape)} is not the {math.prod(values.shape[1:]):,} numbers of a sample"
            raise fail("usage", "shape", what)
        values = values.reshape(-1, *shape)
    scales, faults = _arrays([("mean", mean), ("std", std)])
    faults += [fault for scale in scales for fault in _scale_faults(*scale, 1)]
    if faults:
        raise MemxcError(faults)
    less, over = (array.item() for _, array in scales)
    return np.asarray((values - less) / over, dtype=np.float32), raw.labels


def dataset(data: Any, count: int = 64) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return samples of a data set of torch, and their labels if it has any.

    data: an object with a length and items by number, of which `count` are taken at equal
    distances, because data sets are often in the order of their classes; or an iterable, of which
    the first `count` are taken. An item is an input without its batch axis, or a pair of such an
    input and its label.

    Raises MemxcError: bad-samples with each item that is not numbers or differs in shape; usage
    for a count that is not a whole number of at least 1.
    """
    if not isinstance(count, SupportsIndex) or count.__index__() < 1:
        raise fail("usage", "count", f"{count!r} is not a whole number of at least 1")
    items = list(_items(data, count))
    if not items:
        raise fail("bad-samples", "data set", "it has no items")
    pairs = [isinstance(item, tuple | list) and len(item) == 2 for item in items]
    if any(pairs) and not all(pairs):
        raise fail("bad-samples", "data set", "some items have a label, and some have none")
    inputs = [item[0] if pair else item for item, pair in zip(items, pairs, strict=True)]
    labels = [item[1] for item in items] if pairs[0] else None
    return _stacked("input", inputs), None if labels is None else _stacked("label", labels)


def _items(data: Any, count: int) -> Iterable[Any]:
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        return islice(data, count)
    size = len(data)
    places = [place * size // count for place in range(count)] if size > count else range(size)
    return (data[place] for place in places)


def _stacked(kind: str, values: Sequence[Any]) -> NDArray[Any]:
    arrays, faults = _arrays((f"{kind} {number}", value) for number, value in enumerate(values, 1))
    first = arrays[0][1].shape if arrays else ()
    for where, array in arrays:
        if array.shape != first:
            what = f"has the shape {array.shape}, and {arrays[0][0]} has {first}"
            faults.append(Fault("bad-samples", where, what))
    if faults:
        raise MemxcError(faults)
    return np.stack([array for _, array in arrays])


def _arrays(
    named: Iterable[tuple[str, Any]],
) -> tuple[list[tuple[str, NDArray[Any]]], list[Fault]]:
    """Values as arrays of numbers, by their names, and a fault for each that is none."""
    found: list[tuple[str, NDArray[Any]]] = []
    faults: list[Fault] = []
    for where, value in named:
        try:
            array = np.asarray(value)
        # A tensor of torch that cannot be an array as it is raises a RuntimeError or a TypeError.
        except (ValueError, TypeError, RuntimeError) as error:
            faults.append(Fault("bad-samples", where, f"is no array: {error}"))
            continue
        if array.dtype.kind in "fiub":
            found.append((where, array))
        else:
            faults.append(Fault("bad-samples", where, f"holds {array.dtype}, not numbers"))
    return found, faults


def _scale_faults(name: str, scale: NDArray[Any], channels: int) -> Iterator[Fault]:
    """Yield a fault if a scale is not a number, or one for each channel."""
    if scale.shape not in ((), (1,), (channels,)) or (name == "std" and (scale == 0).any()):
        what = f"= {scale.tolist()} has to be a number, or one for each of {channels} channels"
        yield Fault("bad-samples", name, f"{what}{', not 0' * (name == 'std')}")
