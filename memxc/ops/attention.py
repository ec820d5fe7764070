"""Attention: products of signals by multipliers, and a softmax between them.

    Y = softmax(scale Q K^T + mask) V      for each head

A position that the mask or the order of positions hides takes part in no sum: no circuit is built
for it.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from memxc.ir.windows import GROUND, Ints, ints
from memxc.ops._blocks import DIFFERENCE, DIVIDER, EXPONENTIAL, PAIR, built
from memxc.ops._call import Call, Parts
from memxc.ops._registry import operator
from memxc.ops._softmax import QUOTIENT, extreme, total
from memxc.ops._steps import ShapedNets, Steps

#: An additive mask below this hides a position: runtimes and exporters write -inf or -1e4 and less.
_HIDDEN = -1e4


@operator(
    "Attention",
    since=23,
    attrs={
        "is_causal": 0,
        "kv_num_heads": None,
        "q_num_heads": None,
        "qk_matmul_output_mode": 0,
        "scale": None,
        "softcap": 0.0,
        "softmax_precision": None,
    },
)
def attention(call: Call) -> Parts:
    """Return the scores of all heads, their softmax, and the mean of the values by it."""
    for index, what in ((4, "past keys"), (5, "past values"), (6, "lengths that change")):
        if call.has(index):
            hint = "export the model for whole sequences, without a cache"
            raise call.refuse(f"{what} have no circuit", hint, "unsupported-op")
    steps = Steps(call)
    q, k, v = (_heads(call, index, name) for index, name in enumerate(("q", "kv", "kv")))
    heads = q.shape[1]
    if heads % k.shape[1] or k.shape[:2] != v.shape[:2] or k.shape[2] != v.shape[2]:
        what = f"queries {q.shape}, keys {k.shape} and values {v.shape} do not fit"
        raise call.refuse(what, code="unsupported-shape")
    k, v = (np.repeat(part, heads // k.shape[1], axis=1) for part in (k, v))
    given = call.attrs["scale"]
    scale = 1 / sqrt(q.shape[3]) if given is None else float(given)
    query, keys, values = (ShapedNets(call.bus(n), part) for n, part in enumerate((q, k, v)))
    scores = steps.product("scores", query, ShapedNets(keys.bus, k.swapaxes(2, 3)), scale)
    shape = scores.nets.shape
    scores, seen = _masked(call, steps, scores, np.ones(shape[2:], dtype=bool))
    if call.attrs["softcap"]:
        cap = float(call.attrs["softcap"])
        expr = f"{cap!r}*tanh(x0/{cap!r})"
        scores = steps.lanes("capped", expr, built("tanh", PAIR), scores)
    weights = _softmax(call, steps, scores, np.broadcast_to(seen, shape))
    mixed = steps.product("mixed", weights, values)
    flat = mixed.nets if len(call.shape_of(0)) == 4 else mixed.nets.swapaxes(1, 2)
    return steps.end(ShapedNets(mixed.bus, ints(flat)))


def _heads(call: Call, index: int, kind: str) -> Ints:
    """Return an input as (batch, heads, positions, numbers)."""
    nets = call.nets(index)
    if nets.ndim == 4:
        return nets
    heads = call.attrs[f"{kind}_num_heads"]
    if nets.ndim != 3 or not heads or heads < 0 or nets.shape[2] % heads:
        what = f"an input of {nets.shape} for {heads} heads"
        raise call.refuse(what, code="unsupported-shape")
    return ints(nets.reshape(*nets.shape[:2], heads, -1).swapaxes(1, 2))


def _masked(
    call: Call, steps: Steps, scores: ShapedNets, seen: NDArray[np.bool_]
) -> tuple[ShapedNets, NDArray[np.bool_]]:
    """Return the scores with an additive mask, and which positions each position sees."""
    if call.attrs["is_causal"]:
        seen = np.tril(seen)
    if not call.has(3):
        return scores, seen
    # A mask that is computed at run time would have to be a signal of minus infinity.
    mask = call.constant(3, "mask")
    if mask.dtype == np.bool_:
        return scores, seen & mask
    seen = seen & (mask > _HIDDEN)
    added = np.where(seen, mask, 0.0)
    return (steps.affine("masked", scores, np.ones(()), added) if added.any() else scores), seen


def _softmax(call: Call, steps: Steps, scores: ShapedNets, seen: NDArray[np.bool_]) -> ShapedNets:
    """Return the softmax along the last axis over the positions that are seen; 0 elsewhere."""
    if not seen.any(axis=-1).all():
        raise call.refuse("its mask hides every position from one", code="unsupported-model")
    first = np.take_along_axis(scores.nets, seen.argmax(axis=-1)[..., None], axis=-1)
    known = ShapedNets(scores.bus, ints(np.where(seen, scores.nets, first)))
    top = extreme(steps, "max", known, (3,))
    below = built("exponential_below", DIFFERENCE, EXPONENTIAL)
    powers = steps.lanes("exponentials", "exp(x0-x1)", below, scores, top)
    powers = ShapedNets(powers.bus, ints(np.where(seen, powers.nets, GROUND)))
    whole = total(steps, powers, (3,))
    return steps.lanes("quotient", QUOTIENT, built("div", DIVIDER), powers, whole)
