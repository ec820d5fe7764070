"""The resistors of the amplifiers behind programmed crossbars.

A differential pair has two op-amps; i+ and i- are the currents of its bit lines, from G+ and G-:

              ,-- r_join --.                    ,--- r_f ---.
              |            |                    |           |
     i+ ------+-- op-amp 1-+--- r_join ---+-----+- op-amp 2-+--- v_out = r_f (i+ - i-)
                                          |
     i- ----------------------------------'

Op-amp 1 gives -r_join i+, and r_join turns that into the current -i+ at the input of op-amp 2. The
value of r_join cancels, so `joining` chooses it such that op-amp 1 stays within its swing. With
inverted inputs there is op-amp 2 alone.

r_f belongs to a lane, and all columns that add to one lane share it. So the largest weight over all
these columns sets it: `largest_weights` finds the weights, `equalized` makes them equal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from memxc.ir.kernel import Kernel
from memxc.ir.windows import Windows
from memxc.target import Target

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

#: At most so many nets are looked at together, to bound the memory.
_CHUNK = 1 << 20
#: A stage has fewer columns than this, so a pair of columns fits one 64-bit number.
_PAIRS = 1 << 31


def largest_weights(kernel: Kernel) -> Floats:
    """Return the largest magnitude in each column, (groups, columns); 0 if it has no weights."""
    if kernel.cell is None:
        weights = kernel.values.reshape(kernel.groups, kernel.rows, kernel.columns)
        # No copy of the weights: a dense layer may have very many.
        ends = weights.max(axis=1, initial=0), -weights.min(axis=1, initial=0)
        return np.asarray(np.maximum(*ends), dtype=np.float64)
    return np.asarray(np.abs(kernel.weight()).max(axis=1, initial=0.0))


def equalized(sinks: Sequence[Windows], values: Sequence[Floats], width: int) -> list[Floats]:
    """Raise the values of columns that add to one lane until these are equal.

    Two columns that add to one lane at any place are in one family, and a family grows with every
    column that meets one of its members (a connected component). All columns of a family get the
    largest value in it.

    sinks: the lanes that the columns of each kernel add to.
    values: (groups, columns) of each kernel. width: lanes of the bus.

    The result has the shapes of `values`.
    """
    distinct = [windows.distinct() for windows in sinks]
    firsts = np.cumsum([0, *(windows.groups * windows.lines for windows, _ in distinct)])
    raised = np.concatenate(
        [
            windows.merged(value, np.maximum)[1].reshape(-1)
            for windows, value in zip(sinks, values, strict=True)
        ]
    )
    pairs = _joined([windows for windows, _ in distinct], firsts, width)
    if len(pairs):
        joins = coo_array((np.ones(len(pairs), dtype=np.int8), pairs.T), shape=(len(raised),) * 2)
        family = connected_components(joins, directed=False)[1]
        largest_of_family = np.zeros(family.max() + 1)
        np.maximum.at(largest_of_family, family, raised)
        raised = largest_of_family[family]
    return [
        raised[first : first + windows.groups * windows.lines].reshape(-1, windows.lines)[which]
        for first, (windows, which) in zip(firsts, distinct, strict=False)
    ]


def _joined(sinks: Sequence[Windows], firsts: Indices, width: int) -> Indices:
    """Return pairs of columns that add to one lane, (pairs, 2); columns count through all kernels.

    Each lane remembers the first column that adds to it. Every later column is paired with that
    one, which is enough to connect all columns of the lane.
    """
    owner = np.full(width, -1, dtype=np.int32)
    keys = [np.zeros(0, dtype=np.int64)]
    for windows, first in zip(sinks, firsts, strict=False):
        column = np.arange(windows.groups * windows.lines, dtype=np.int32) + np.int32(first)
        column = column.reshape(windows.groups, 1, windows.lines)
        for groups, places in windows.pieces(_CHUNK):
            nets = windows.nets(groups, places)
            adds = np.broadcast_to(column[groups], nets.shape)
            unowned = (nets >= 0) & (owner[nets] < 0)
            owner[nets[unowned]] = adds[unowned]
            first_column = np.where(nets >= 0, owner[nets], adds)
            # A column nearly always meets the same columns at all places: look at the extremes of
            # the places first, and only at places that differ from both.
            low, high = first_column.min(axis=1), first_column.max(axis=1)
            between = (first_column != low[:, None]) & (first_column != high[:, None])
            adds_first = np.broadcast_to(column[groups, 0], low.shape)
            for left, right in (
                (low, adds_first),
                (high, adds_first),
                (first_column[between], adds[between]),
            ):
                differ = left != right
                # A pair is kept as one number, because np.unique is slow on rows.
                keys.append(np.unique(left[differ].astype(np.int64) * _PAIRS + right[differ]))
    return np.stack(np.divmod(np.concatenate(keys), _PAIRS), axis=1)


def joining(load: Floats, target: Target) -> Floats:
    """Return r_join of each lane, (width,), in ohm.

    load: siemens of the devices on each lane's plus bit lines, (width,).

    Op-amp 1 gives r_join i+. With every plus device of a lane at the read voltage it may just reach
    the swing of the op-amp:

        r_join = swing / (read voltage * sum of G+ on the lane's plus bit lines)

    A lane without plus devices gets 1 / g_max.
    """
    ohms = np.full(len(load), 1.0 / target.device.g_max)
    loaded = load > 0
    ohms[loaded] = target.amplifier.swing_v / (target.device.read_voltage_v * load[loaded])
    # Four digits, rounded down: the last bits of the sum depend on the order of its terms, and so
    # on the processor, and r_join must not.
    step = 10.0 ** (np.floor(np.log10(ohms)) - 3)
    return np.asarray(np.maximum(np.floor(ohms / step * (1 + 1e-9)), 1) * step)
