"""Accuracy of the networks in models/ over the data sets that are at hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from runs import ROOT
from table import WANTS_DATA


@dataclass(frozen=True)
class Data:
    """Where each data set is, None where it is not at hand (models/accuracy.py has the forms)."""

    fashion: Path | None
    cifar10: Path | None
    fer2013: Path | None
    nuclei: Path | None


def command(model: str, name: str) -> str:
    """What a user runs to get the accuracy of a model."""
    return f"python models/accuracy.py models/{model} --set {name} --data ..."


def of(model: str, name: str, data: Data) -> str:
    """The accuracy as models/accuracy.py prints it, "88.50 %"; words where there is no data."""
    path: Path | None = getattr(data, name)
    if path is None:
        return WANTS_DATA
    script = ROOT / "models" / "accuracy.py"
    words = [sys.executable, str(script), str(ROOT / "models" / model)]
    words += ["--set", name, "--data", str(path)]
    printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return printed.partition(": ")[2].partition(" (")[0].strip()
