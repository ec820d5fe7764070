"""Fitting what pruning leaves of the layers, so that they answer as the network did before.

For a layer y = W x + b, the zeros of W stay. Of all such W, the fit takes the one with the smallest
mean square of y - W x - b over the patches of the samples; x is what the pruned layers before it
give. This is one linear system for each filter, or for all filters with the same zeros.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import threadpool_limits

from memxc.analysis.layer import Layer, layers_of, takes_bias, with_layers
from memxc.analysis.moments import refit_stages
from memxc.analysis.separable import PatchMoments
from memxc.errors import fail
from memxc.interfaces import Context
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ir.stages import Linear
from memxc.ops.lower import lower

Floats = NDArray[np.float64]

#: This share of a tap's mean power is added to all, so that taps which samples hardly excite stay.
_RIDGE = 1e-4
#: A layer with more taps stays as pruning left it, because its system is too large.
_MOST = 3072
#: A fit uses samples with so many numbers on the widest bus.
_FITTED = 1 << 23


@dataclass(frozen=True, eq=False)
class _Dense:
    """dense: (filters, taps of all channels). bias: (filters,)."""

    dense: Floats
    bias: Floats


def rest(how: str, before: Graph, after: Graph, ctx: Context) -> Graph:
    """Return the pruned network as the option `rest` of its pass says."""
    return refitted(before, after, ctx) if how == "refitted" else after


def refitted(before: Graph, after: Graph, ctx: Context) -> Graph:
    """Return `after`, which is `before` with zeros, with its other weights and its biases fitted.

    These are convolutions of one group and dense layers with a place for a bias. A filter without
    weights keeps its bias.

    Raises MemxcError (usage) without samples.
    """
    if not ctx.samples:
        raise fail("usage", "samples", "a fit needs some, and there are none")
    whole, design = lower(before), lower(after)
    layers = {layer.node.outputs[0]: (i, layer) for i, layer in layers_of(after).items()}
    names = [
        name
        for name, (_, layer) in layers.items()
        if _solvable(design, name, layer) and takes_bias(layer, after)
    ]
    widest = max(bus.width for bus in whole.buses.values())
    inputs = {n: values[: max(1, _FITTED // widest)] for n, values in ctx.fit_to().items()}
    stages = {stage.dst: stage for stage in design.stages}
    # With one thread, because the last bits of a sum depend on how threads divide it.
    with threadpool_limits(1, user_api="blas"):
        fitted = refit_stages(whole, inputs, names, _fit, stages)
    changed = {}
    for name, kernel in fitted.items():
        index, layer = layers[name]
        filters_first = layer.node.op == "Conv" or layer.node.attrs.get("transB")
        flat = kernel.dense if filters_first else kernel.dense.T
        changed[index] = replace(layer, weight=flat.reshape(layer.weight.shape), bias=kernel.bias)
    return with_layers(after, changed)


def _solvable(design: Design, name: str, layer: Layer) -> bool:
    stage = next((stage for stage in design.stages if stage.dst == name), None)
    if not isinstance(stage, Linear) or len(stage.kernels) != 1 or layer.node.op == "ConvTranspose":
        return False
    (kernel,), node = stage.kernels, layer.node
    plain = node.attrs.get("alpha", 1.0) == 1.0 and not node.attrs.get("transA")
    return bool(plain and kernel.groups == 1 and kernel.rows <= _MOST)


def _fit(stage: Linear, moments: PatchMoments) -> _Dense:
    """Return the kernel with its zeros as they are and everything else fitted."""
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
