"""The resistors of the amplifiers that programmed crossbars need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from memxc.ir.kernel import Crossbar, Kernel
from memxc.ir.windows import Windows
from memxc.physics.network import amplifier
from memxc.target import Target

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

#: Nets looked at together.
_CHUNK = 1 << 20
#: More columns than a stage can have.
_PAIRS = 1 << 31


def largest(kernel: Kernel) -> Floats:
    """The largest magnitude of a weight in each column, (groups, columns); 0 where none is."""
    if kernel.cell is None:
        weights = kernel.values.reshape(kernel.groups, kernel.rows, kernel.columns)
        # No copy of the weights: a dense layer may have very many.
        ends = weights.max(axis=1, initial=0), -weights.min(axis=1, initial=0)
        return np.asarray(np.maximum(*ends), dtype=np.float64)
    return np.asarray(np.abs(kernel.weight()).max(axis=1, initial=0.0))


def alike(sinks: Sequence[Windows], values: Sequence[Floats], width: int) -> list[Floats]:
    """Values (groups, columns) of each kernel raised until all that add to one lane are equal."""
    once = [own.distinct() for own in sinks]
    firsts = np.cumsum([0, *(windows.groups * windows.lines for windows, _ in once)])
    most = np.concatenate(
        [
            own.merged(value, np.maximum)[1].reshape(-1)
            for own, value in zip(sinks, values, strict=True)
        ]
    )
    pairs = _joined([windows for windows, _ in once], firsts, width)
    if len(pairs):
        joins = coo_array((np.ones(len(pairs), dtype=np.int8), pairs.T), shape=(len(most),) * 2)
        family = connected_components(joins, directed=False)[1]
        raised = np.zeros(family.max() + 1)
        np.maximum.at(raised, family, most)
        most = raised[family]
    return [
        most[first : first + windows.groups * windows.lines].reshape(-1, windows.lines)[which]
        for first, (windows, which) in zip(firsts, once, strict=False)
    ]


def _joined(sinks: Sequence[Windows], firsts: Indices, width: int) -> Indices:
    """Pairs (pairs, 2) of columns that drive one lane; columns are numbered kernel by kernel."""
    owner = np.full(width, -1, dtype=np.int32)
    found = [np.zeros(0, dtype=np.int64)]
    for windows, first in zip(sinks, firsts, strict=False):
        column = np.arange(windows.groups * windows.lines, dtype=np.int32) + np.int32(first)
        column = column.reshape(windows.groups, 1, windows.lines)
        for groups, places in windows.pieces(_CHUNK):
            nets = windows.nets(groups, places)
            drives = np.broadcast_to(column[groups], nets.shape)
            fresh = (nets >= 0) & (owner[nets] < 0)
            owner[nets[fresh]] = drives[fresh]
            known = np.where(nets >= 0, owner[nets], drives)
            # Nearly always a column meets the same others at all places.
            low, high = known.min(axis=1), known.max(axis=1)
            between = (known != low[:, None]) & (known != high[:, None])
            drive = np.broadcast_to(column[groups, 0], low.shape)
            for one, other in ((low, drive), (high, drive), (known[between], drives[between])):
                apart = one != other
                # One number a pair: sorting rows is slow.
                found.append(np.unique(one[apart].astype(np.int64) * _PAIRS + other[apart]))
    return np.stack(np.divmod(np.concatenate(found), _PAIRS), axis=1)


def joining(crossbars: Sequence[Crossbar], width: int, target: Target) -> Floats:
    """r_join so that op-amp 1 stays within its swing with every plus device at full voltage."""
    load = amplifier.loads(crossbars, width)[1]
    ohms = np.full(width, 1.0 / target.device.g_max)
    loaded = load > 0
    ohms[loaded] = target.amplifier.swing_v / (target.device.read_voltage_v * load[loaded])
    # Few digits: the sum's last bits depend on the order of adding.
    step = 10.0 ** (np.floor(np.log10(ohms)) - 3)
    return np.asarray(np.maximum(np.floor(ohms / step * (1 + 1e-9)), 1) * step)
