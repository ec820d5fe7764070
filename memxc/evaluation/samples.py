"""Samples: inputs for calibration, losses and verification, from an .npz file or a seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.errors import Fault, MemxcError, fail, printable, why
from memxc.ir import store
from memxc.ir.design import sample_shape
from memxc.ir.kinds import bits, code_range

#: Samples that are used by default; more are read and dropped, as calibration gains nothing from
#: them.
MOST = 64
#: An integer with at most this many bits is a code, and any of its values may occur.
_FEW_BITS = 8


@dataclass(frozen=True, eq=False)
class Samples:
    """`inputs` by name (samples, *shape without batch) float32; `labels` (samples, ...) or None.

    warnings: what the user has to know about the file.
    """

    inputs: Mapping[str, NDArray[Any]]
    labels: NDArray[Any] | None
    warnings: tuple[str, ...] = ()

    def halves(self) -> tuple[Samples, Samples]:
        """Return two halves of the samples, drawn with a fixed seed. One sample is returned twice.

        They are drawn, because a file may contain its classes in turns.
        """
        count = len(next(iter(self.inputs.values())))
        if count < 2:
            return self, self
        drawn = np.random.default_rng(0).permutation(count)
        one, other = np.sort(drawn[count // 2 :]), np.sort(drawn[: count // 2])
        return self._some(one), self._some(other)

    def _some(self, which: NDArray[np.intp]) -> Samples:
        labels = None if self.labels is None else self.labels[which]
        return Samples({name: values[which] for name, values in self.inputs.items()}, labels)


def read(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    most: int | None = MOST,
    kinds: Mapping[str, str] | None = None,
) -> Samples:
    """Read the samples of a file: arrays by input name, or `x` for a single input; `y` for labels.

    shapes: the inputs' shapes, as in a Graph. kinds: the element types of the inputs that
    are integers or bool. most: how many samples to keep, None for all. Raises MemxcError
    (bad-samples) with everything that is wrong.
    """
    try:
        arrays = store.read_npz(path)
    except (OSError, ValueError) as error:
        what = f"cannot be read as .npz: {why(error)}"
        hint = "numpy.savez(FILE, x=..., y=...) writes such a file"
        raise fail("bad-samples", str(path), what, hint) from error
    return of(arrays, str(path), shapes, most, kinds)


def of(
    arrays: Mapping[str, NDArray[Any]],
    where: str,
    shapes: Mapping[str, tuple[int, ...]],
    most: int | None = MOST,
    kinds: Mapping[str, str] | None = None,
) -> Samples:
    """The samples in arrays, which are named as `read` wants those of a file; `where` names them.

    Raises MemxcError (bad-samples) with everything that is wrong.
    """
    faults: list[Fault] = []
    inputs: dict[str, NDArray[Any]] = {}
    keys: list[str] = []
    for name, shape in shapes.items():
        key = "x" if len(shapes) == 1 and name not in arrays else name
        if key not in arrays:
            held = ", ".join(sorted(arrays)) or "nothing"
            faults.append(Fault("bad-samples", where, f"no array {name!r}; it holds {held}"))
            continue
        faults += _faults(f"{where}:{key}", arrays[key], shape, (kinds or {}).get(name, ""))
        inputs[name] = arrays[key]
        keys.append(key)
    labels = arrays.get("y") if "y" not in shapes else None
    if labels is not None:
        unusable = _no_numbers(f"{where}:y", labels)
        if not unusable and not np.isfinite(labels).all():
            unusable = [Fault("bad-samples", f"{where}:y", "holds NaN or inf")]
        faults += unusable
    all_arrays = [*inputs.values(), *([] if labels is None else [labels])]
    if not faults and len({len(array) for array in all_arrays}) > 1:
        faults.append(Fault("bad-samples", where, "the arrays differ in their first axis"))
    if faults:
        raise MemxcError(faults)
    narrowed = {name: array[:most].astype(np.float32) for name, array in inputs.items()}
    warnings = _unused(Path(where).name, arrays, keys, labels is not None)
    return Samples(narrowed, None if labels is None else labels[:most], warnings)


def _unused(
    where: str, arrays: Mapping[str, NDArray[Any]], keys: list[str], labelled: bool
) -> tuple[str, ...]:
    """Return a warning about arrays that nothing reads; one may hold labels under another name."""
    rest = [name for name in arrays if name not in (*keys, *["y"] * labelled)]
    if not rest:
        return ()
    unread = _listed([f"'{printable(name, 30)}'" for name in rest])
    inputs = _listed([printable(key, 30) for key in keys])
    hint = "" if labelled or "y" in keys else "; labels are called y"
    what = f"holds {unread}, neither an input ({inputs}) nor y: ignored{hint}"
    return (f"{printable(where, 40)} {what}",)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + " ..." * (len(names) > 3)


def seeded(
    shapes: Mapping[str, tuple[int, ...]],
    low: float,
    high: float,
    seed: int,
    count: int = 16,
    kinds: Mapping[str, str] | None = None,
) -> Samples:
    """Return random inputs, uniform over a range, for a user who gives no samples.

    Inputs in `kinds` are integers; if their type has few bits, they take any value of it.
    """
    rng = np.random.default_rng(seed)
    inputs = {
        name: _drawn(rng, (kinds or {}).get(name, ""), low, high, (count, *sample_shape(shape)))
        for name, shape in shapes.items()
    }
    return Samples(inputs, None)


def few(
    inputs: Mapping[str, NDArray[Any]], numbers: int, most: int = MOST, least: int = 1
) -> dict[str, NDArray[Any]]:
    """Return the first samples of each input: as many as `numbers` values hold, within bounds.

    A wide input already has many places in one sample, and each of them costs time.
    """
    width = sum(math.prod(values.shape[1:]) for values in inputs.values())
    count = min(most, max(least, numbers // max(1, width)))
    return {name: values[:count] for name, values in inputs.items()}


def extent(kind: str, low: float, high: float) -> tuple[float, float]:
    """Return the range that values are drawn from.

    For an integer of few bits it is everything that the type can hold.
    """
    if not bits(kind):
        return low, high
    least, largest = code_range(kind)
    if bits(kind) <= _FEW_BITS:
        return least, largest
    least = max(least, math.ceil(low))
    return least, max(least, min(largest, math.floor(high)))


def _drawn(
    rng: np.random.Generator, kind: str, low: float, high: float, size: tuple[int, ...]
) -> NDArray[Any]:
    least, largest = extent(kind, low, high)
    if bits(kind):
        return rng.integers(int(least), int(largest), size, endpoint=True).astype(np.float32)
    return rng.uniform(least, largest, size).astype(np.float32)


def _faults(where: str, array: NDArray[Any], shape: tuple[int, ...], kind: str) -> list[Fault]:
    if faults := _no_numbers(where, array):
        return faults
    if array.shape[1:] != sample_shape(shape) or not len(array):
        want = "x".join(map(str, ("samples", *sample_shape(shape))))
        got = "x".join(map(str, array.shape))
        return [Fault("bad-samples", where, f"has shape {got}, the model wants {want}")]
    with np.errstate(over="ignore"):
        finite = np.isfinite(array.astype(np.float32)).all()
    if not finite:
        return [Fault("bad-samples", where, "holds NaN, or what float32 has no number for")]
    if bits(kind):
        low, high = code_range(kind)
        wrong = array[(array != np.floor(array)) | (array < low) | (array > high)]
        if wrong.size:
            what = f"holds {float(wrong.flat[0]):g}, the model takes {kind}"
            return [Fault("bad-samples", where, what)]
    return []


def _no_numbers(where: str, array: NDArray[Any]) -> list[Fault]:
    if array.dtype.kind not in "fiub":
        return [Fault("bad-samples", where, f"holds {array.dtype}, not numbers")]
    if not array.ndim:
        return [Fault("bad-samples", where, "is a single number without an axis for samples")]
    return []
