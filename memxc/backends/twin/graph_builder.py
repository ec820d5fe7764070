"""Building the ONNX graph of a twin: nodes, constants and signals.

A signal is a tensor with the samples on its first axis, (N, *shape). If many nets have to be
gathered, the samples are on the last axis, (width, N): then one index moves a whole row.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx  # noqa: TID251
from numpy.typing import NDArray
from onnx import helper, numpy_helper  # noqa: TID251

from memxc.errors import fail

Shape = tuple[int, ...]
#: The most bytes of a file: ONNX models are written in protobuf, which ends at 2 GiB.
MOST_BYTES = 2_000_000_000


@dataclass(frozen=True)
class TwinTensor:
    """A tensor of the graph: (N, *shape), or (width, N) if the samples are `last`."""

    name: str
    shape: Shape
    last: bool = False

    @property
    def width(self) -> int:
        """Numbers of one sample."""
        return prod(self.shape)


def check(size: int) -> None:
    """Raise MemxcError (usage) if constants of so many bytes do not fit into a file."""
    if size > MOST_BYTES:
        what = f"takes {size / 1e9:.1f} GB or more, and an ONNX file holds {MOST_BYTES / 1e9:g} GB"
        hint = (
            "--draw-per definition is an approximation that takes less; --schedule sequential has "
            "fewer devices, --partition none fewer weights"
        )
        raise fail("usage", "the twin", what, hint)


@dataclass
class Sheet:
    """Nodes in order and constants by name. It makes new names, and none of those in `taken`.

    seed: the seed of the model's noise. opset: the version of the operators. size: bytes of the
    constants so far.
    """

    taken: frozenset[str] = frozenset()
    seed: int = 0
    opset: int = 17
    size: int = 0
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    _known: dict[tuple[Any, ...], str] = field(default_factory=dict)
    _clips: dict[str, tuple[TwinTensor, float, float]] = field(default_factory=dict)
    _shaped: dict[str, TwinTensor] = field(default_factory=dict)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output and return its name. Equal nodes are added once."""
        key = (kind, inputs, repr(sorted(attributes.items())))
        if key not in self._known:
            name = self._fresh(f"{kind.lower()}.{len(self.nodes)}")
            node = helper.make_node(kind, list(inputs), [name], name=name, **attributes)
            self.nodes.append(node)
            self._known[key] = name
        return self._known[key]

    def append(self, node: onnx.NodeProto, stem: str, size: int) -> str:
        """Add a node of one output whose attributes take `size` bytes, and return its name."""
        self.size += size
        check(self.size)
        node.name = self._fresh(f"{stem}.{len(self.nodes)}")
        node.output[:] = [node.name]
        self.nodes.append(node)
        return node.name

    def floats(self, values: object) -> str:
        """Add a float32 constant and return its name."""
        return self._constant(np.asarray(values, dtype=np.float32), "number")

    def integers(self, values: object) -> str:
        """Add an int64 constant and return its name."""
        return self._constant(np.asarray(values, dtype=np.int64), "index")

    def _constant(self, values: NDArray[Any], stem: str) -> str:
        # Large constants are not compared, because their bytes would be in memory twice.
        key = (stem, values.shape, values.tobytes() if values.size <= 64 else len(self.constants))
        if key not in self._known:
            self.size += values.nbytes
            check(self.size)
            name = self._fresh(f"{stem}.{len(self.constants)}")
            self.constants[name] = numpy_helper.from_array(values, name)
            self._known[key] = name
        return self._known[key]

    def _fresh(self, name: str) -> str:
        while name in self.taken:
            name += "'"
        return name

    def first(self, signal: TwinTensor) -> TwinTensor:
        """Return the signal with the samples on its first axis."""
        if not signal.last:
            return signal
        turned = self.op("Transpose", signal.name, perm=[1, 0])
        return self.reshape(TwinTensor(turned, (signal.width,)), signal.shape)

    def last(self, signal: TwinTensor) -> TwinTensor:
        """Return the signal with the samples on its last axis, (width, N)."""
        if signal.last:
            return signal
        flat = self.reshape(signal, (signal.width,))
        return TwinTensor(self.op("Transpose", flat.name, perm=[1, 0]), signal.shape, last=True)

    def random(self, like: str) -> str:
        """Return standard normal numbers in the shape of a tensor. Each call draws its own."""
        # ONNX's seed is a float32, which has all whole numbers up to 2**24.
        words = f"{self.seed} {len(self.nodes)}".encode()
        seed = int.from_bytes(hashlib.sha256(words).digest()[:3], "little")
        return self.op("RandomNormalLike", like, mean=0.0, scale=1.0, seed=float(seed))

    def reshape(self, signal: TwinTensor, shape: Shape) -> TwinTensor:
        """Return the numbers of a sample in another shape. A reshape of a reshape becomes one."""
        if signal.last or shape == signal.shape:
            return TwinTensor(signal.name, shape, signal.last)
        raw = self._shaped.get(signal.name, signal)
        if raw.shape == shape:
            return raw
        # In Reshape, 0 keeps the size of an axis: here that of the samples.
        name = self.op("Reshape", raw.name, self.integers([0, *shape]))
        self._shaped[name] = raw
        return TwinTensor(name, shape)

    def transpose(self, signal: TwinTensor, order: Shape) -> TwinTensor:
        """Return a signal with the axes of a sample in another order (samples first)."""
        if order == tuple(range(len(order))):
            return signal
        name = self.op("Transpose", signal.name, perm=[0, *(axis + 1 for axis in order)])
        return TwinTensor(name, tuple(signal.shape[axis] for axis in order))

    def cut(self, signal: TwinTensor, starts: Shape, shape: Shape) -> TwinTensor:
        """Return the part of a sample from `starts` on that has this shape (samples first)."""
        axes = [a for a, size in enumerate(signal.shape) if size != shape[a]]
        if not axes:
            return signal
        name = self.op(
            "Slice", signal.name, self.integers([starts[a] for a in axes]),
            self.integers([starts[a] + shape[a] for a in axes]),
            self.integers([a + 1 for a in axes]),
        )  # fmt: skip
        return TwinTensor(name, shape)

    def pad(self, signal: TwinTensor, begin: Shape, end: Shape) -> TwinTensor:
        """Return a signal with zeros around each sample (samples first)."""
        if not any(begin) and not any(end):
            return signal
        name = self.op("Pad", signal.name, self.integers([0, *begin, 0, *end]))
        sizes = zip(begin, signal.shape, end, strict=True)
        return TwinTensor(name, tuple(b + n + e for b, n, e in sizes))

    def add(self, a: TwinTensor, b: TwinTensor) -> TwinTensor:
        """Return the sum of two signals of one width, in the shape of the first."""
        if not (a.last and b.last):
            a, b = self.first(a), self.reshape(self.first(b), a.shape)
        return TwinTensor(self.op("Add", a.name, b.name), a.shape, a.last)

    def clip(self, signal: TwinTensor, low: float, high: float) -> TwinTensor:
        """Return the signal between two limits. A clip of a clip becomes one."""
        raw, least, largest = self._clips.get(signal.name, (signal, -np.inf, np.inf))
        low, high = (float(np.clip(edge, low, high)) for edge in (least, largest))
        if (low, high) == (0.0, np.inf):
            name = self.op("Relu", raw.name)
        else:
            edges = ["" if np.isinf(edge) else self.floats(edge) for edge in (low, high)]
            name = self.op("Clip", raw.name, *(edges if edges[1] else edges[:1]))
        self._clips[name] = (raw, low, high)
        return TwinTensor(name, signal.shape, raw.last)
