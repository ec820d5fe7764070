"""Data for a circuit, from a file or from arrays, and the warnings about them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from memxc.build_folder.read import Loaded, sha256
from memxc.errors import printable
from memxc.evaluation import evaluate, samples
from memxc.ir.design import Design
from memxc.library.samples import by_name
from memxc.simulate import Data

#: An .npz file; or inputs (samples, *shape), as one array or several by name; or a pair of inputs
#: and labels.
Samples: TypeAlias = (
    str
    | Path
    | ArrayLike
    | Mapping[str, ArrayLike]
    | tuple[ArrayLike | Mapping[str, ArrayLike], ArrayLike]
)

#: There is a warning if more than this share of the values is clipped. Limiters are above all
#: values of the calibration, so in a whole data set a few values in a thousand may be clipped,
#: which does not change the score.
_SHARE = 1e-3
#: There is also a warning if any value is this many times beyond the limit. Such a value is not a
#: slightly brighter picture. The data have other units, or a number that stands for "missing".
_FAR = 2.0


def read(loaded: Loaded, given: Samples, count: int | None = None) -> Data:
    """The first `count` samples, checked, with the warnings about them.

    Raises MemxcError (bad-samples) as memxc.evaluation.samples.read does.
    """
    shapes = {name: loaded.design.buses[name].shape for name in loaded.design.inputs}
    if isinstance(given, str | Path):
        where = str(given)
        found = samples.read(Path(given), shapes, count, loaded.kinds)
        digest = sha256(Path(given))
    else:
        where, arrays = "samples", arrays_of(given)
        found = samples.of(arrays, where, shapes, count, loaded.kinds)
        digest = _digest(arrays)
    warnings = (*found.warnings, *_clipped(loaded.design, found.inputs))
    return Data(found.inputs, found.labels, where, _counted(digest, count), warnings)


def own(loaded: Loaded, count: int | None = None) -> Data:
    """The first `count` samples of the folder."""
    inputs = {name: values[:count] for name, values in loaded.samples.items()}
    labels = None if loaded.labels is None else loaded.labels[:count]
    every = (
        dict(loaded.samples) if loaded.labels is None else {**loaded.samples, "y": loaded.labels}
    )
    return Data(inputs, labels, str(loaded.folder), _counted(_digest(every), count))


def _counted(digest: str, count: int | None) -> str:
    """The digest of all samples, with the number of the first ones if only these are taken."""
    return digest if count is None else f"{digest}:{count}"


def arrays_of(given: Samples) -> dict[str, NDArray[Any]]:
    """Inputs and labels in memory as arrays by name. Raises MemxcError as `by_name` does."""
    parts = given if isinstance(given, tuple) and len(given) == 2 else (given,)
    return by_name("samples", *parts)


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """The SHA-256 of arrays: names, types, shapes and contents."""
    found = hashlib.sha256()
    for name, values in sorted(arrays.items()):
        found.update(repr((name, values.dtype.str, values.shape)).encode())
        found.update(np.ascontiguousarray(values).data)
    return found.hexdigest()


def _clipped(design: Design, inputs: Mapping[str, NDArray[Any]]) -> list[str]:
    """A warning for each input that the circuit clips too often or too much."""
    warnings = []
    for name, values in inputs.items():
        reach = evaluate.reach(design.buses[name])
        largest = max(float(values.max(initial=0)), -float(values.min(initial=0)))
        beyond = int((values > reach).sum()) + int((values < -reach).sum())
        if beyond > _SHARE * values.size or largest > _FAR * reach:
            warnings.append(
                f"{100 * beyond / values.size:.3g} % of the values of '{printable(name, 40)}' are "
                f"beyond +-{reach:.3g} (up to {largest:.3g}), and this circuit clips them there: "
                "scale the data, or compile with such data as --samples"
            )
    return warnings
