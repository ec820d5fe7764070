"""Measure the accuracy of the networks in models/ on the data sets that are given."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from runs import ROOT, WORK, folder, memxc
from table import WANTS_DATA

#: The number of training pictures; a fit uses half of them.
GIVEN = {"nuclei": 64, "fashion": 1024}


@dataclass(frozen=True)
class Data:
    """The path of each data set, or None (models/accuracy.py describes the formats).

    long: whether to run also what takes half an hour: SPICE on four pictures, and the curve.
    """

    fashion: Path | None
    cifar10: Path | None
    fer2013: Path | None
    nuclei: Path | None
    long: bool = False


def command(model: str, name: str) -> str:
    """The command that prints the accuracy of a model."""
    return f"python models/accuracy.py models/{model} --set {name} --data ..."


def of(model: str, name: str, data: Data) -> str:
    """The accuracy as models/accuracy.py prints it, "88.50 %"; a text if there are no data."""
    path: Path | None = getattr(data, name)
    return WANTS_DATA if path is None else _printed(ROOT / "models" / model, name, path)


def of_circuit(model: str, name: str, options: str, data: Data) -> str:
    """The accuracy of the circuit of a model, compiled with training pictures as samples."""
    path: Path | None = getattr(data, name)
    if path is None:
        return WANTS_DATA
    where = folder(model, options, f"--samples {samples(name, path, 'train', GIVEN[name])}")
    twin = where.with_suffix(".onnx")
    memxc("twin", str(where), "-o", str(twin))
    return _printed(twin, name, path)


def samples(name: str, path: Path, part: str, count: int) -> Path:
    """The first pictures of a part of a data set, for --samples."""
    out = WORK / f"{name}-{part}.npz"
    script = ROOT / "models" / "samples.py"
    words = [sys.executable, str(script), name, str(path), str(out)]
    subprocess.run([*words, "--part", part, "--count", str(count)], check=True)
    return out


def _printed(model: Path, name: str, path: Path) -> str:
    script = ROOT / "models" / "accuracy.py"
    words = [sys.executable, str(script), str(model), "--set", name, "--data", str(path)]
    printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return printed.partition(": ")[2].partition(" (")[0].strip()
