"""The network that the options ask for: a whole file, or a part of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from memxc.frontend.network import Shape
from memxc.frontend.part import Part


def choose_part(path: Path, shapes: Mapping[str, Shape]) -> tuple[Path | Part, Mapping[str, Shape]]:
    """The network that is asked for, and the shapes of its inputs, as `load` takes them."""
    return path, shapes
