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
from collections.abc import Iterable, Mapping, Sequence
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
    usage for a wrong name; cannot-write.
    """
    arrays = named(str(path), inputs, labels)
    inputs_only = {name: v for name, v in arrays.items() if labels is None or name != "y"}
    shapes = {name: (1, *values.shape[1:]) for name, values in inputs_only.items()}
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
        write_file(Path(path), made.read_bytes())


def named(
    where: str, inputs: ArrayLike | Mapping[str, ArrayLike], labels: ArrayLike | None
) -> dict[str, NDArray[Any]]:
    """Return arrays by name, as in an .npz file: an array without a name is `x`, labels are `y`.

    Raises MemxcError: usage if there are no inputs, or one has the name of the labels; bad-samples
    with a fault for each that is not an array of numbers.
    """
    parts = dict(inputs) if isinstance(inputs, Mapping) else {"x": inputs}
    if not parts or (labels is not None and "y" in parts):
        what = "an input has the name of the labels, y" if parts else "there are no inputs"
        raise fail("usage", where, what)
    if labels is not None:
        parts["y"] = labels
    return dict(
        zip(parts, _all_numbers({f"{where}:{n}": v for n, v in parts.items()}), strict=True)
    )


def images(
    pictures: Iterable[Any], mean: ArrayLike = 0.0, std: ArrayLike = 1.0
) -> NDArray[np.float32]:
    """Return pictures as inputs of a network: (pictures, channels, height, width), float32.

    pictures: arrays (height, width) or (height, width, channels), or pictures of Pillow, all of one
    size. Whole numbers of 8 bits are divided by 255; other numbers stay as they are. Then `mean` is
    subtracted and the result is divided by `std`; each is a number, or one for each channel.

    Raises MemxcError (bad-samples) with a fault for each wrong picture.
    """
    found: list[NDArray[Any]] = []
    faults: list[Fault] = []
    for number, picture in enumerate(pictures, 1):
        where = f"picture {number}"
        try:
            array = numbers(where, picture)
        except MemxcError as error:
            faults += error.faults
            continue
        if array.ndim not in (2, 3):
            what = f"has {array.ndim} axes, not height and width, with or without channels"
            faults.append(Fault("bad-samples", where, what))
        elif found and (array.shape, array.dtype) != (found[0].shape, found[0].dtype):
            first = f"picture 1 is {found[0].dtype} {found[0].shape}"
            what = f"is {array.dtype} {array.shape}, and {first}"
            faults.append(Fault("bad-samples", where, what, "bring all to one size and type first"))
        else:
            found.append(array)
    if faults or not found:
        raise MemxcError(faults or Fault("bad-samples", "pictures", "there are none"))
    stacked = np.stack(found)
    values = stacked.astype(np.float64) / (255 if stacked.dtype == np.uint8 else 1)
    values = values[:, None] if values.ndim == 3 else np.moveaxis(values, 3, 1)
    values -= _per_channel("mean", mean, values)
    values /= _per_channel("std", std, values)
    return np.asarray(values, dtype=np.float32)


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
    offset, scale = (numbers(name, value) for name, value in (("mean", mean), ("std", std)))
    if offset.size != 1 or scale.size != 1 or not scale.item():
        raise fail("bad-samples", "mean, std", f"{path} has no channels: give a number for each")
    return np.asarray((values - offset) / scale, dtype=np.float32), raw.labels


def dataset(data: Any, count: int = 64) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return samples of a data set of torch, and their labels if it has any.

    data: an object with a length and items by number, of which `count` are taken at equal
    distances, because data sets are often in the order of their classes; or an iterable, of which
    the first `count` are taken. An item is an input without its batch axis, or a pair of such an
    input and its label.

    Raises MemxcError: bad-samples if items are not numbers, or differ in shape; usage for a count
    below 1.
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
    return (data[index] for index in _spread(len(data), count))


def _spread(size: int, count: int) -> Sequence[int]:
    """`count` numbers below `size` at equal distances from 0 on; all numbers if there are fewer."""
    return [place * size // count for place in range(count)] if size > count else range(size)


def _stacked(kind: str, values: Sequence[Any]) -> NDArray[Any]:
    arrays = _all_numbers({f"{kind} {number}": value for number, value in enumerate(values, 1)})
    faults = [
        Fault(
            "bad-samples",
            f"{kind} {number}",
            f"has the shape {array.shape}, and {kind} 1 has {arrays[0].shape}",
        )
        for number, array in enumerate(arrays, 1)
        if array.shape != arrays[0].shape
    ]
    if faults:
        raise MemxcError(faults)
    return np.stack(arrays)


def _all_numbers(values: Mapping[str, Any]) -> list[NDArray[Any]]:
    """Return arrays of values by their place. Raises MemxcError with the faults of all of them."""
    found, faults = [], list[Fault]()
    for where, value in values.items():
        try:
            found.append(numbers(where, value))
        except MemxcError as error:
            faults += error.faults
    if faults:
        raise MemxcError(faults)
    return found


def numbers(where: str, value: Any) -> NDArray[Any]:
    """Numbers as an array. MemxcError (bad-samples) where they are none."""
    try:
        array = np.asarray(value)
    # A tensor of torch says with a RuntimeError or a TypeError that it cannot be an array as it is.
    except (ValueError, TypeError, RuntimeError) as error:
        raise fail("bad-samples", where, f"is no array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise fail("bad-samples", where, f"holds {array.dtype}, not numbers")
    return array


def _per_channel(name: str, value: ArrayLike, pictures: NDArray[Any]) -> NDArray[Any]:
    """A number, or one for each channel, to be broadcast to (pictures, channels, height, width)."""
    array, channels = numbers(name, value), pictures.shape[1]
    if array.shape not in ((), (1,), (channels,)) or (name == "std" and (array == 0).any()):
        what = f"= {array.tolist()} has to be a number, or one for each of {channels} channels"
        raise fail("bad-samples", name, f"{what}{', not 0' * (name == 'std')}")
    return array.reshape(-1, 1, 1)
