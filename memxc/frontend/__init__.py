"""ONNX file -> Graph. The only room that knows the file format; the file is hostile input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from memxc.errors import Fault, MemxcError
from memxc.frontend.check import check
from memxc.frontend.convert import convert
from memxc.frontend.fold import fold
from memxc.frontend.network import network_of
from memxc.frontend.read import read
from memxc.frontend.shapes import fixed_inputs
from memxc.ir.graph import Graph


def load(path: Path, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Graph:
    """A network as a Graph: batch 1, static shapes, constants folded, dead nodes gone.

    `shapes` are for inputs whose size the model leaves open. Raises MemxcError (broken-model,
    unsupported-model, unsupported-op, unsupported-shape; usage for `shapes`) with everything
    that is wrong.
    """
    where = str(path)
    try:
        model = read(path)
        check(model, where)
        network = network_of(model, fixed_inputs(model, shapes or {}, where))
        fold(network)
        return convert(network, path.stem)
    except MemxcError as error:
        raise MemxcError([_located(fault, where) for fault in error.faults]) from error


def _located(fault: Fault, path: str) -> Fault:
    """The same fault with the file before the name of its node or tensor."""
    is_whole = fault.where == path or fault.code == "usage"
    return fault if is_whole else replace(fault, where=f"{path}:{fault.where}")


__all__ = ["load"]
