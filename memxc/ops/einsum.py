"""Einsum of one signal with a constant: each label is lines, blocks or places of a kernel.

Of several signals, every product is multipliers, and resistors add the products up.
"""

from __future__ import annotations

from collections import Counter
from math import prod

import numpy as np

from memxc.ir.bounds import reckon
from memxc.ir.graph import Tensor
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Circuit, DeviceKind, Linear
from memxc.ir.windows import Ints, ints
from memxc.ops._call import Call, Parts, lanes
from memxc.ops._nets import rename
from memxc.ops._registry import operator
from memxc.ops._softmax import total
from memxc.ops._steps import PRODUCT, ShapedNets, Steps
from memxc.ops._windows import grid, spread

_Labels = list[str]


@operator("Einsum", since=12, attrs={"equation": ""})
def einsum(call: Call) -> Parts:
    """Return a stage: labels that are summed are word lines, those of the constant bit lines.

    Labels of both are blocks, and labels of the signal alone are places.
    """
    terms, out = _labels(call)
    signals = [i for i in range(len(terms)) if not call.is_constant(i)]
    if len(signals) == len(terms) > 1:
        return _of_signals(call, terms, out)
    if len(signals) != 1 or len(terms) > 2:
        raise call.refuse(
            f"{len(signals)} signals and {len(terms) - len(signals)} constants in one product",
            "one signal and one constant have a crossbar, signals alone have multipliers",
            "unsupported-op",
        )
    src = signals[0]
    nets, of_signal = _traced(call.nets(src), terms[src], terms[src])
    if len(terms) == 1 and set(of_signal) == set(out):
        return [rename(call, ints(nets.transpose([of_signal.index(label) for label in out])))]
    weight, of_weight = np.ones(()), list[str]()
    if len(terms) == 2:
        factor = call.constant(1 - src, "factor")
        weight, of_weight = _traced(factor, terms[1 - src], [*of_signal, *out])
    kernel = _kernel(call, ints(nets), of_signal, weight, of_weight, out)
    cell: DeviceKind = "memristor" if len(terms) == 2 else "resistor"
    return [Linear(call.name, call.bus(src), call.dst, (kernel,), cell=cell)]


def _kernel(
    call: Call, nets: Ints, of_signal: _Labels, weight: Tensor, of_weight: _Labels, out: _Labels
) -> Kernel:
    blocks = [label for label in out if label in of_signal and label in of_weight]
    places = [label for label in out if label in of_signal and label not in of_weight]
    columns = [label for label in out if label not in of_signal]
    rows = [label for label in of_signal if label not in out]
    size = dict(zip(of_signal, nets.shape, strict=True)) | dict(
        zip(of_weight, weight.shape, strict=True)
    )
    order = blocks + rows + columns
    values = weight.transpose([of_weight.index(label) for label in order if label in of_weight])
    values = values.reshape([size[label] if label in of_weight else 1 for label in order])
    reckon(*(size[label] for label in order))
    values = np.broadcast_to(values, [size[label] for label in order])

    def axes(labels: _Labels, whole: _Labels) -> tuple[int, ...]:
        return tuple(whole.index(label) for label in labels)

    return Kernel(
        values=values.reshape(prod(size[label] for label in blocks), -1),
        cell=None,
        bias=None,
        taps=spread(nets, axes(rows, of_signal), axes(blocks, of_signal), axes(places, of_signal)),
        sinks=spread(lanes(call.shape), axes(columns, out), axes(blocks, out), axes(places, out)),
        grid=grid(*(size[label] for label in places)),
    )


def _of_signals(call: Call, terms: list[_Labels], out: _Labels) -> Parts:
    """Return the products over all labels, and their sums over those that are not in the output."""
    steps = Steps(call)
    order = [*out, *dict.fromkeys(label for term in terms for label in term if label not in out)]
    factors = []
    for index, term in enumerate(terms):
        nets, labels = _traced(call.nets(index), term, term)
        axes = [labels.index(label) for label in order if label in labels]
        missing = [axis for axis, label in enumerate(order) if label not in labels]
        factors.append(
            ShapedNets(call.bus(index), ints(np.expand_dims(nets.transpose(axes), missing)))
        )
    shape = np.broadcast_shapes(*(factor.nets.shape for factor in factors))
    reckon(*shape)
    expr = "*".join(f"x{number}" for number in range(len(terms)))
    circuit = PRODUCT if len(terms) == 2 else Circuit("product", multipliers=len(terms) - 1)
    products = steps.lanes("products", expr, circuit, *factors)
    whole = total(steps, products, tuple(range(len(out), len(order))))
    return steps.end(whole.shaped(shape[: len(out)]))


def _traced(tensor: Tensor, labels: _Labels, kept: _Labels) -> tuple[Tensor, _Labels]:
    """Return diagonals of labels that occur twice, and sums over labels of nothing else."""
    once = list(dict.fromkeys(labels))
    labels_left = [label for label in once if label in kept]
    if labels_left != once:
        tensor = np.asarray(tensor, dtype=np.float64)
    if labels_left == labels:
        return tensor, labels
    index = [once.index(label) for label in labels]
    return np.einsum(tensor, index, [once.index(label) for label in labels_left]), labels_left


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
