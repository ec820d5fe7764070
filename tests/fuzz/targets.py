"""What is fuzzed: functions of bytes that return, or raise MemxcError; anything else is a finding.

Each reads its bytes as a user's file. Several files in one input are divided by SPLIT.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from memxc import frontend, netlist_reader, target
from memxc.errors import CODES, Fault, MemxcError
from memxc.evaluation import samples
from memxc.ir import store
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array, Circuit, Lanes
from memxc.ir.windows import identity_windows, ints, lanewise
from memxc.ops.lower import lower, survey

#: Divides the files of one input; no TOML, JSON or netlist holds it.
SPLIT = b"\0\0--next file--\0\0"
#: A lowered network of at most so many nets is built as well, and verifies itself.
_BUILT = 1 << 14


def frontend_(data: bytes, folder: Path) -> None:
    """A model file, as `memxc check` and the first half of `memxc compile` read it."""
    path = folder / "m.onnx"
    path.write_bytes(data)
    graph = frontend.load(path)
    graph.verify()
    rows, faults = survey(graph)
    assert len(rows) == len(graph.nodes)
    _sound(faults)
    if not faults and sum(int(np.prod(shape)) for shape in graph.shapes.values()) < _BUILT:
        lower(graph)


def samples_(data: bytes, folder: Path) -> None:
    """A file of samples, for a network of two inputs, one of them of 8 bits."""
    path = folder / "s.npz"
    path.write_bytes(data)
    found = samples.read(path, {"x": (1, 2, 3), "k": (1, 4)}, 8, {"k": "uint8"})
    assert set(found.inputs) == {"x", "k"}


def target_(data: bytes, folder: Path) -> None:
    """A target file."""
    path = folder / "t.toml"
    path.write_bytes(data)
    target.load(str(path))


def design_(data: bytes, folder: Path) -> None:
    """design.json and design.npz of an output folder."""
    text, _, arrays = data.partition(SPLIT)
    (folder / "design.json").write_bytes(text)
    (folder / "design.npz").write_bytes(arrays)
    store.load(folder).verify()


def netlist_(data: bytes, folder: Path) -> None:
    """A netlist and one file that it may include, cells/c.cir."""
    top, _, cells = data.partition(SPLIT)
    (folder / "cells").mkdir()
    (folder / "top.cir").write_bytes(top)
    (folder / "cells" / "c.cir").write_bytes(cells)
    netlist_reader.read(folder / "top.cir")


TARGETS: dict[str, Callable[[bytes, Path], None]] = {
    "design": design_,
    "frontend": frontend_,
    "netlist": netlist_,
    "samples": samples_,
    "target": target_,
}


def run(name: str, data: bytes) -> None:
    """One input through one target. A MemxcError with sound faults is what it may raise."""
    with tempfile.TemporaryDirectory(prefix="memxc-fuzz-") as folder:
        try:
            TARGETS[name](data, Path(folder))
        except MemxcError as error:
            _sound(error.faults)


def _sound(faults: Iterable[Fault]) -> None:
    """Faults that a user can read: a known code, a place, a sentence, an exit code of 2 or 3."""
    for fault in faults:
        assert fault.where, "a fault without a place"
        assert fault.what, "a fault that says nothing"
        assert CODES[fault.code][0] in (2, 3), fault.code
        str(fault)


@functools.cache
def design_seed() -> bytes:
    """A design of one crossbar and one lane function, as compile writes it."""
    crossbar = Crossbar(
        g=np.array([[1e-5, 2e-5, 3e-5, 4e-5]]),
        cell=ints([[0, 1], [2, 3]]),
        line=ints([0, 1]),
        sign=ints([1, 1]),
        column=ints([0, 0]),
        polarity=ints([1, -1]),
        definition=ints([0]),
        taps=identity_windows(2),
        sinks=identity_windows(1),
        grid=(1,),
    )
    array = Array("fc", "x", "a", (crossbar,), np.array([1e4]), np.array([1e4]), 0.1, 1e5)
    relu = Lanes("act", ("a",), "y", (lanewise([0]),), "max(x0,0)", Circuit("relu", opamps=1))
    buses = {
        "x": Bus("x", (1, 2), 0.1, 0.2),
        "a": Bus("a", (1, 1), 0.1),
        "y": Bus("y", (1, 1), 0.1),
    }
    design = Design("net", ("x",), ("y",), buses, (array, relu))
    with tempfile.TemporaryDirectory() as folder:
        store.save(design, Path(folder))
        text = json.dumps(json.loads((Path(folder) / "design.json").read_text("ascii")))
        return text.encode() + SPLIT + (Path(folder) / "design.npz").read_bytes()
