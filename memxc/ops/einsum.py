"""Einsum of one signal with constants: each label is lines, blocks or places of a kernel."""

from __future__ import annotations

from collections import Counter
from math import prod

import numpy as np

from memxc.ir.bounds import reckon
from memxc.ir.graph import Tensor
from memxc.ir.kernel import Kernel
from memxc.ir.stages import DeviceKind, Linear
from memxc.ir.windows import Ints, ints
from memxc.ops._nets import rename
from memxc.ops._registry import Call, Parts, lanes, operator
from memxc.ops._windows import grid, spread

_Labels = list[str]


@operator("Einsum", since=12, attrs={"equation": ""})
def einsum(call: Call) -> Parts:
    """Labels summed over are word lines, labels of constants bit lines, those of both blocks."""
    terms, out = _labels(call)
    signals = [i for i in range(len(terms)) if not call.is_constant(i)]
    if len(signals) != 1 or len(terms) > 2:
        raise call.refuse(
            f"{len(signals)} signals and {len(terms) - len(signals)} constants in one product",
            "one signal and one constant have a crossbar",
            "unsupported-op",
        )
    src = signals[0]
    nets, mine = _traced(call.nets(src), terms[src], terms[src])
    if len(terms) == 1 and set(mine) == set(out):
        return [rename(call, ints(nets.transpose([mine.index(label) for label in out])))]
    weight, theirs = np.ones(()), list[str]()
    if len(terms) == 2:
        factor = call.constant(1 - src, "factor")
        weight, theirs = _traced(factor, terms[1 - src], [*mine, *out])
    kernel = _kernel(call, ints(nets), mine, weight, theirs, out)
    cell: DeviceKind = "memristor" if len(terms) == 2 else "resistor"
    return [Linear(call.name, call.bus(src), call.dst, (kernel,), cell=cell)]


def _kernel(
    call: Call, nets: Ints, mine: _Labels, weight: Tensor, theirs: _Labels, out: _Labels
) -> Kernel:
    blocks = [label for label in out if label in mine and label in theirs]
    places = [label for label in out if label in mine and label not in theirs]
    columns = [label for label in out if label not in mine]
    rows = [label for label in mine if label not in out]
    size = dict(zip(mine, nets.shape, strict=True)) | dict(zip(theirs, weight.shape, strict=True))
    order = blocks + rows + columns
    values = weight.transpose([theirs.index(label) for label in order if label in theirs])
    values = values.reshape([size[label] if label in theirs else 1 for label in order])
    reckon(*(size[label] for label in order))
    values = np.broadcast_to(values, [size[label] for label in order])

    def axes(labels: _Labels, whole: _Labels) -> tuple[int, ...]:
        return tuple(whole.index(label) for label in labels)

    return Kernel(
        values=values.reshape(prod(size[label] for label in blocks), -1),
        cell=None,
        bias=None,
        taps=spread(nets, axes(rows, mine), axes(blocks, mine), axes(places, mine)),
        sinks=spread(lanes(call.shape), axes(columns, out), axes(blocks, out), axes(places, out)),
        grid=grid(*(size[label] for label in places)),
    )


def _traced(tensor: Tensor, labels: _Labels, kept: _Labels) -> tuple[Tensor, _Labels]:
    """Diagonals of labels that stand twice, and sums over labels that nothing else has."""
    found = list(dict.fromkeys(labels))
    left = [label for label in found if label in kept]
    if left != found:
        tensor = np.asarray(tensor, dtype=np.float64)
    if left == labels:
        return tensor, labels
    index = [found.index(label) for label in labels]
    return np.einsum(tensor, index, [found.index(label) for label in left]), left


def _labels(call: Call) -> tuple[list[_Labels], _Labels]:
    """The labels of every axis of the operands and of the output; an ellipsis is written out."""
    equation = call.attrs["equation"].replace(" ", "")
    left, arrow, right = equation.partition("->")
    texts = left.split(",")
    ranks = [len(call.shape_of(i)) for i in range(len(call.inputs))]
    if len(texts) != len(ranks):
        raise call.refuse(f"equation = {equation!r} has not {len(ranks)} terms")
    hidden = [rank - len(text.replace("...", "")) for text, rank in zip(texts, ranks, strict=True)]
    most = max(n if "..." in text else 0 for text, n in zip(texts, hidden, strict=True))
    if not arrow:
        once = sorted(name for name, n in Counter(left).items() if n == 1 and name.isalpha())
        right = "..." * bool(most) + "".join(once)
    terms = [_written_out(text, n) for text, n in zip(texts, hidden, strict=True)]
    out = _written_out(right, most)
    sizes = dict(zip(out, call.shape, strict=False))
    for i, labels in enumerate(terms):
        pairs = list(zip(labels, call.shape_of(i), strict=False))
        if len(labels) != ranks[i] or any(sizes.setdefault(name, n) != n for name, n in pairs):
            raise call.refuse(
                f"equation = {equation!r} does not fit the axes of {call.shape_of(i)}",
                "an axis of one is repeated by an Expand only",
            )
    if len(out) != len(call.shape) or not set(out) <= set().union(*terms):
        raise call.refuse(f"equation = {equation!r} does not make {call.shape}")
    return terms, out


def _written_out(text: str, hidden: int) -> _Labels:
    """One label an axis; those of an ellipsis are counted from its end."""
    before, dots, after = text.partition("...")
    return [*before, *(f"...{n}" for n in range(hidden * bool(dots), 0, -1)), *after]
