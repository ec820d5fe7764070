"""A kernel as depthwise and pointwise kernels of some rank, fitted to the patches that it reads.

For a layer y = W x + b, where x has the taps of all channels, the fit looks for

    W' = sum over r of  P_r D_r        D_r: one kernel for each channel,  P_r: a pointwise kernel

with the smallest mean square of y - W' x - b' over the patches of the samples. It needs second
moments only: those of x in the changed network, and those of x with the wanted y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

Floats = NDArray[np.float64]

#: This share of a tap's mean power is added to all, so that taps which no sample excites stay.
_RIDGE = 1e-6
#: Rounding of second moments, which are differences of numbers as large as a signal's square.
_ROUNDING = 1e-10
#: Alternating least squares ends after so many rounds, or if a round gains less than this share.
_ROUNDS, _GAIN = 60, 1e-4
#: With more unknowns, the depthwise kernels stay as they began, because the system is too large.
_MOST = 3072


@dataclass(frozen=True, eq=False)
class PatchMoments:
    """Means over patches, and second moments about them.

    x: (taps of all channels,). y: (filters,). xx: (taps, taps). yx: (filters, taps).
    """

    x: Floats
    y: Floats
    xx: Floats
    yx: Floats

    def power(self, share: float) -> Floats:
        """Return xx with a share of a tap's mean power on its diagonal: (taps, taps).

        It is positive definite. Signals that hardly move leave only rounding in xx, of either sign,
        and the floor is larger than that.
        """
        mean = float(np.trace(self.xx)) / len(self.xx)
        floor = _ROUNDING * (mean + float(np.square(self.x).mean()))
        return self.xx + np.eye(len(self.xx)) * (max(share * mean, floor) or 1.0)


@dataclass(frozen=True, eq=False)
class Pair:
    """depthwise: (channels, rank, taps). pointwise: (filters, channels, rank). bias: (filters,)."""

    depthwise: Floats
    pointwise: Floats
    bias: Floats

    @property
    def dense(self) -> Floats:
        """The kernel that both are together, (filters, channels, taps)."""
        return np.asarray(np.einsum("ncr,crt->nct", self.pointwise, self.depthwise))


def fit(weight: Floats, moments: PatchMoments, rank: int) -> Pair:
    """Return the pair that is nearest to a kernel (filters, channels, taps) on the patches."""
    filters, channels, taps = weight.shape
    power = moments.power(_RIDGE)
    # The best kernel of any rank: what the layer would be if only its inputs had changed.
    flat = weight.reshape(filters, -1)
    missing = moments.yx - flat @ moments.xx
    goal = (flat + cho_solve(cho_factor(power), missing.T).T).reshape(weight.shape)
    blocks = power.reshape(channels, taps, channels, taps)
    depthwise = _channelwise(goal, blocks, rank)
    pointwise = _pointwise(goal, depthwise, blocks)
    if channels * rank * taps <= _MOST:
        depthwise, pointwise = _alternate(goal, depthwise, pointwise, blocks)
    depthwise, pointwise = _levelled(depthwise, pointwise, blocks)
    dense = np.einsum("ncr,crt->nct", pointwise, depthwise).reshape(filters, -1)
    return Pair(depthwise, pointwise, moments.y - dense @ moments.x)


def _channelwise(goal: Floats, blocks: Floats, rank: int) -> Floats:
    """Return the best depthwise kernels if channels were independent, (channels, rank, taps)."""
    kernels = []
    for channel in range(goal.shape[1]):
        root = cholesky(blocks[channel, :, channel], lower=True)
        _, _, right = np.linalg.svd(goal[:, channel] @ root, full_matrices=False)
        kernels.append(solve_triangular(root, right[:rank].T, trans="T", lower=True).T)
    return np.stack(kernels)


def _pointwise(goal: Floats, depthwise: Floats, blocks: Floats) -> Floats:
    """Return the best pointwise kernels behind given depthwise ones, (filters, channels, rank)."""
    channels, rank, _ = depthwise.shape
    seen = np.einsum("crt,ctds->crds", depthwise, blocks, optimize=True)
    inner = np.einsum("crds,dqs->crdq", seen, depthwise, optimize=True)
    outer = np.einsum("crds,nds->ncr", seen, goal, optimize=True)
    size = channels * rank
    solved = _solve(inner.reshape(size, size), outer.reshape(-1, size).T)
    return np.asarray(solved.T.reshape(len(goal), channels, rank))


def _depthwise(goal: Floats, pointwise: Floats, blocks: Floats) -> Floats:
    """Return the best depthwise kernels before given pointwise ones, (channels, rank, taps)."""
    _, channels, rank = pointwise.shape
    taps = goal.shape[2]
    gram = np.einsum("ncr,ndq->crdq", pointwise, pointwise, optimize=True)
    inner = gram[:, :, None, :, :, None] * blocks[:, None, :, :, None, :]
    answers = np.einsum("nds,dsct->nct", goal, blocks, optimize=True)
    outer = np.einsum("ncr,nct->crt", pointwise, answers, optimize=True)
    size = channels * rank * taps
    return np.asarray(_solve(inner.reshape(size, size), outer.reshape(size)).reshape(outer.shape))


def _solve(matrix: Floats, right: Floats) -> Floats:
    """Solve with a matrix that is positive semidefinite. Directions without power get zero."""
    power = float(np.trace(matrix)) / len(matrix)
    if not power > 0:
        return np.zeros_like(right)
    jitter = np.eye(len(matrix)) * (1e-10 * power)
    return np.asarray(cho_solve(cho_factor(matrix + jitter), right))


def _alternate(
    goal: Floats, depthwise: Floats, pointwise: Floats, blocks: Floats
) -> tuple[Floats, Floats]:
    """Improve both kernels in turn, as long as the error falls."""
    best = _missed(goal, depthwise, pointwise, blocks)
    for _ in range(_ROUNDS):
        first = _depthwise(goal, pointwise, blocks)
        second = _pointwise(goal, first, blocks)
        missed = _missed(goal, first, second, blocks)
        if not missed < best:
            break
        depthwise, pointwise, gained = first, second, best - missed
        if gained < _GAIN * best:
            break
        best = missed
    return depthwise, pointwise


def _missed(goal: Floats, depthwise: Floats, pointwise: Floats, blocks: Floats) -> float:
    """Return the mean square by which a pair misses its goal, summed over filters."""
    missing = (goal - np.einsum("ncr,crt->nct", pointwise, depthwise)).reshape(len(goal), -1)
    return float(np.einsum("ni,ni->", missing @ blocks.reshape(missing.shape[1], -1), missing))


def _levelled(depthwise: Floats, pointwise: Floats, blocks: Floats) -> tuple[Floats, Floats]:
    """Return the same pair with equally strong signals between its layers, which share a scale."""
    power = np.einsum("crt,ctcs,crs->cr", depthwise, blocks, depthwise, optimize=True)
    size = np.sqrt(np.where(power > 0, power, 1.0))
    return depthwise / size[:, :, None], pointwise * size
