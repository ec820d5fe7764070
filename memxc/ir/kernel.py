"""Kernel, a stack of weight blocks, and Crossbar, the stack of conductances after programming."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.ir.windows import Ints, Windows, ints

Floats = NDArray[np.float64]

#: In `Crossbar.line`: the word line carries the bias voltage, not an input.
BIAS = -1
#: Conductances that are processed together: few enough to stay in the processor's cache.
_CHUNK = 1 << 19


@dataclass(frozen=True, eq=False)
class Kernel:
    """A stack of weight blocks, and every place that uses it. Contributions to one lane add up.

    values: (groups, devices), any float type, output units per input unit.
    cell:   (rows, columns) int32, index into `values`, -1 where there is no weight; None means
            dense, row-major: devices = rows * columns.
    bias:   (groups, columns) in output units, or None.
    taps:   the nets that the rows read; sinks: the nets that the columns add to.
    grid:   the layout of the places, row-major; its product is the number of places.
    bias_lines: word lines that share the bias (set by calibrate, so that a large bias fits).
    """

    values: NDArray[Any]
    cell: Ints | None
    bias: NDArray[Any] | None
    taps: Windows
    sinks: Windows
    grid: tuple[int, ...]
    bias_lines: int = 1

    @property
    def rows(self) -> int:
        """Number of input lines of one block, without the bias."""
        return self.taps.lines

    @property
    def columns(self) -> int:
        """Number of output lines of one block."""
        return self.sinks.lines

    @property
    def groups(self) -> int:
        """Number of blocks in the stack."""
        return self.taps.groups

    @property
    def places(self) -> int:
        """Number of positions at which each block is used."""
        return self.taps.places

    @property
    def devices(self) -> int:
        """Number of weights in one block. A zero inside the kernel counts, padding does not."""
        return self.rows * self.columns if self.cell is None else int((self.cell >= 0).sum())

    @property
    def pattern(self) -> Ints:
        """`cell` as an array, also for a dense kernel: (rows, columns) int32."""
        if self.cell is not None:
            return self.cell
        return np.arange(self.rows * self.columns, dtype=np.int32).reshape(self.rows, self.columns)

    def weight(self, groups: slice = slice(None), columns: slice = slice(None)) -> Floats:
        """Return dense weights (groups, rows, columns), with 0 where there is no weight."""
        values = self.values[groups]
        if self.cell is None:
            dense = values.reshape(len(values), self.rows, self.columns)[..., columns]
            return np.asarray(dense, dtype=np.float64)
        cell = self.cell[:, columns]
        return np.where(cell >= 0, np.asarray(values, dtype=np.float64)[:, cell], 0.0)

    def verify(self, src_width: int, dst_width: int) -> None:
        """Raise AssertionError if the parts do not fit together."""
        _placed(self.taps, self.sinks, self.grid, src_width, dst_width)
        assert self.values.ndim == 2, "weights are not blocks x devices"
        assert self.taps.groups == self.sinks.groups == len(self.values), "groups differ"
        if self.cell is None:
            assert self.values.shape[1] == self.rows * self.columns, "weights are not dense"
        else:
            assert self.cell.shape == (self.rows, self.columns), "cell is not rows x columns"
            assert self.cell.max(initial=-1) < self.values.shape[1], "cell points past the weights"
        if self.bias is not None:
            assert self.bias.shape == (self.groups, self.columns), "bias is not groups x columns"
        assert self.bias_lines >= 1, "no bias line"

    def __str__(self) -> str:
        bias = f"+{self.bias_lines}" if self.bias is not None else ""
        stack = f"{self.groups}*" if self.groups > 1 else ""
        return f"{stack}{self.rows}{bias}x{self.columns}@{self.places}"


@dataclass(frozen=True, eq=False)
class Crossbar:
    """A stack of crossbar definitions with equal wiring and different conductances.

    g:        (groups, devices) siemens; 0 S means that there is no device.
    cell:     (word lines, bit lines) int32, index into `g`, -1 where there is no device.
    line:     (word lines,) the row of `taps` that drives it, or BIAS.
    sign:     (word lines,) +1 for the input or +v_bias, -1 for its inverse.
    column:   (bit lines,) the column of `sinks` that it adds to.
    polarity: (bit lines,) +1 for a plus bit line, -1 for a minus one (differential pair).
    definition: (groups,) number of the netlist definition that each block uses.
    taps, sinks, grid: as in Kernel.
    """

    g: Floats
    cell: Ints
    line: Ints
    sign: Ints
    column: Ints
    polarity: Ints
    definition: Ints
    taps: Windows
    sinks: Windows
    grid: tuple[int, ...]

    @property
    def word_lines(self) -> int:
        """Number of word lines in use."""
        return len(self.line)

    @property
    def bit_lines(self) -> int:
        """Number of bit lines in use."""
        return len(self.column)

    @property
    def groups(self) -> int:
        """Number of definitions in the stack."""
        return self.taps.groups

    @property
    def places(self) -> int:
        """Number of positions at which each definition is placed."""
        return self.taps.places

    @cached_property
    def devices(self) -> int:
        """Number of places for a device in one definition."""
        return int((self.cell >= 0).sum())

    @cached_property
    def uses(self) -> NDArray[np.intp]:
        """How many devices of a block have each of its conductances, (devices,)."""
        return np.bincount(self.cell[self.cell >= 0], minlength=self.g.shape[1])

    @cached_property
    def equal(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The first block of each set of equal blocks, in order, and the set of each block.

        (sets,) and (groups,). Blocks are grouped by a hash of their bits and then compared in full.
        """
        words = np.ascontiguousarray(self.g).view(np.uint64)
        factors = np.random.default_rng(0).integers(1, 1 << 62, words.shape[1], dtype=np.uint64)
        # The sum is a hash modulo 2**64; its overflow is intended.
        sums = (words * (2 * factors + 1)).sum(axis=1)
        _, first, which = np.unique(sums, return_index=True, return_inverse=True)
        if len(first) == self.groups or not (words[first[which]] == words).all():
            return np.arange(self.groups), np.arange(self.groups)
        order = np.argsort(first)
        return first[order], np.argsort(order)[which]

    @cached_property
    def present(self) -> NDArray[np.intp]:
        """Number of devices of each block, (groups,); a conductance of 0 S is no device."""
        if self.g.size and self.g.min() > 0:
            return np.full(self.groups, self.uses.sum())
        return np.asarray((self.g > 0) @ self.uses)

    def conductance(self, groups: slice | NDArray[np.intp] = slice(None)) -> Floats:
        """Return dense conductances (groups, word lines, bit lines), S, 0 without a device."""
        return np.where(self.cell >= 0, self.g[groups][:, self.cell], 0.0)

    def parts(self) -> Iterator[Crossbar]:
        """Yield the stack in parts of a few blocks, as many as stay in the processor's cache."""
        step = blocks_at_once(self.g.shape[1])
        if step >= self.groups:
            yield self
            return
        for first in range(0, self.groups, step):
            part = slice(first, first + step)
            yield replace(
                self,
                g=self.g[part],
                definition=ints(self.definition[part]),
                taps=replace(self.taps, group=ints(self.taps.group[part])),
                sinks=replace(self.sinks, group=ints(self.sinks.group[part])),
            )

    def loads(self, words: NDArray[np.bool_] | slice = slice(None)) -> Floats:
        """Return the sum of conductances on each bit line, (groups, bit lines) siemens.

        words: the word lines that count, all by default.
        """
        first, which = self.equal
        return _sums(self.g[first], self.cell[words].T)[which]

    def drains(self) -> Floats:
        """Return the sum of conductances on each word line, (groups, word lines) siemens."""
        first, which = self.equal
        return _sums(self.g[first], self.cell)[which]

    def verify(self, src_width: int, dst_width: int) -> None:
        """Raise AssertionError if the parts do not fit together."""
        _placed(self.taps, self.sinks, self.grid, src_width, dst_width)
        assert self.g.ndim == 2, "conductances are not blocks x devices"
        assert self.taps.groups == self.sinks.groups == len(self.g), "groups differ"
        for name, lines in (("line", "sign"), ("column", "polarity")):
            one, other = getattr(self, name), getattr(self, lines)
            assert one.ndim == 1, f"{name} is not a vector"
            assert one.shape == other.shape, f"{name} and {lines} differ in length"
        assert self.cell.shape == (self.word_lines, self.bit_lines), "cell is not lines x lines"
        assert self.cell.max(initial=-1) < self.g.shape[1], "cell points past the conductances"
        assert self.cell.min(initial=-1) >= -1, "cell holds an unknown sentinel"
        assert (self.g >= 0).all(), "a conductance is negative"
        assert np.isfinite(self.g).all(), "a conductance is not finite"
        assert self.line.max(initial=BIAS) < self.taps.lines, "line points past the taps"
        assert self.line.min(initial=BIAS) >= BIAS, "line holds an unknown sentinel"
        assert self.column.max(initial=0) < self.sinks.lines, "column points past the sinks"
        assert self.column.min(initial=0) >= 0, "column points before the sinks"
        assert set(np.unique(self.sign)) <= {-1, 1}, "sign is +1 or -1"
        assert set(np.unique(self.polarity)) <= {-1, 1}, "polarity is +1 or -1"
        assert self.definition.shape == (self.groups,), "a block has no definition"
        assert self.definition.min() >= 0, "a definition has no number"

    def __str__(self) -> str:
        stack = f"{self.groups}*" if self.groups > 1 else ""
        return f"{stack}{self.word_lines}x{self.bit_lines}@{self.places}"


def _placed(
    taps: Windows, sinks: Windows, grid: tuple[int, ...], src_width: int, dst_width: int
) -> None:
    """Raise AssertionError if windows do not fit their buses or each other."""
    taps.verify(src_width, lowest=-1)
    sinks.verify(dst_width, lowest=-2)
    assert min(grid, default=1) > 0, "the grid has an axis of no places"
    assert taps.places == sinks.places == math.prod(grid), "places differ"


def blocks_at_once(devices: int) -> int:
    """Return how many blocks with this number of conductances are processed together."""
    return max(1, _CHUNK // max(1, devices))


def _sums(g: Floats, cell: Ints) -> Floats:
    """Return the sum of conductances in each row of `cell`, (groups, rows); no block gets dense."""
    rows, columns = np.nonzero(cell >= 0)
    sums = np.zeros((len(g), len(cell)))
    if len(rows):
        index, (lines, firsts) = cell[rows, columns], np.unique(rows, return_index=True)
        step = blocks_at_once(len(rows))
        for first in range(0, len(g), step):
            devices = g[first : first + step].take(index, axis=1)
            sums[first : first + step, lines] = np.add.reduceat(devices, firsts, axis=1)
    return sums
