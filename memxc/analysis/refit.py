"""What pruning leaves of the layers, fitted to answer as the network did before.

Of a layer y = W x + b, W keeps its zeros; of all such W the one with the least mean square of
y - W x - b over the patches of the samples, where x is what the pruned layers before it leave. One
linear system a filter, or one for all filters with the same zeros.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from memxc.analysis import prune
from memxc.analysis.layer import Layer, takes_bias
from memxc.analysis.moments import refit_stages
from memxc.analysis.separable import PatchMoments
from memxc.errors import fail
from memxc.interfaces import Context
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ir.stages import Linear
from memxc.ops.lower import lower

Floats = NDArray[np.float64]

#: Share of the mean power of a tap that is added to all: what samples hardly excite stays.
_RIDGE = 1e-4
#: More taps than this are not solved for at once: such a layer stays as pruning left it.
_MOST = 3072
#: Numbers on the widest bus over all samples that a fit is made of.
_FITTED = 1 << 23


@dataclass(frozen=True, eq=False)
class _Dense:
    """dense: (filters, taps of all channels). bias: (filters,)."""

    dense: Floats
    bias: Floats


def rest(how: str, before: Graph, after: Graph, ctx: Context) -> Graph:
    """The pruned network as the option `rest` of its pass has it."""
    return refitted(before, after, ctx) if how == "refitted" else after


def refitted(before: Graph, after: Graph, ctx: Context) -> Graph:
    """`after`, which is `before` with zeros, with its other weights and its biases fitted.

    Convolutions of one group and dense layers with a place for a bias; a filter without any weight
    keeps its bias.
    MemxcError (usage) without samples.
    """
    if not ctx.samples:
        raise fail("usage", "--refit", "a fit needs samples", "give --samples")
    whole, design = lower(before), lower(after)
    layers = {layer.node.outputs[0]: (i, layer) for i, layer in prune.layers(after).items()}
    names = [
        name
        for name, (_, layer) in layers.items()
        if _solvable(design, name, layer) and takes_bias(layer, after)
    ]
    most = max(bus.width for bus in whole.buses.values())
    inputs = {n: values[: max(1, _FITTED // most)] for n, values in ctx.fit_to().items()}
    stages = {stage.dst: stage for stage in design.stages}
    # One thread: how a sum is cut up would show in its last bits.
    with threadpool_limits(1, user_api="blas"):
        found = refit_stages(whole, inputs, names, _fit, stages)
    changed = {}
    for name, kernel in found.items():
        index, layer = layers[name]
        flat = kernel.dense if _filters_first(layer) else kernel.dense.T
        changed[index] = replace(layer, weight=flat.reshape(layer.weight.shape), bias=kernel.bias)
    return prune.rewritten(after, changed)


def _solvable(design: Design, name: str, layer: Layer) -> bool:
    stage = next((stage for stage in design.stages if stage.dst == name), None)
    if not isinstance(stage, Linear) or len(stage.kernels) != 1 or layer.node.op == "ConvTranspose":
        return False
    (kernel,), node = stage.kernels, layer.node
    plain = node.attrs.get("alpha", 1.0) == 1.0 and not node.attrs.get("transA")
    return bool(plain and kernel.groups == 1 and kernel.rows <= _MOST)


def _filters_first(layer: Layer) -> bool:
    return layer.node.op == "Conv" or bool(layer.node.attrs.get("transB"))


def _fit(stage: Linear, moments: PatchMoments) -> _Dense:
    """The kernel whose zeros stay, and what is fitted else."""
    (kernel,) = stage.kernels
    weight = kernel.weight()[0].T.copy()
    power = moments.power(_RIDGE)
    missing = moments.yx - weight @ moments.xx
    supports, which = np.unique(weight != 0, axis=0, return_inverse=True)
    for number, support in enumerate(supports):
        if support.any():
            rows, taps = np.flatnonzero(which == number), np.flatnonzero(support)
            factor = cho_factor(power[np.ix_(taps, taps)])
            weight[np.ix_(rows, taps)] += cho_solve(factor, missing[np.ix_(rows, taps)].T).T
    kept = np.zeros(len(weight)) if kernel.bias is None else kernel.bias[0]
    bias = moments.y - weight @ moments.x
    return _Dense(weight, np.where((weight != 0).any(axis=1), bias, kept))
