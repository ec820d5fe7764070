"""partition: places merged into sub-images, so that one crossbar serves a patch of outputs.

Rules of the policies: docs/partition.md; `paper` is the counting rule of Oh, An, Min,
Micromachines 14(2):309 (2023), as derived in docs/papers.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import isqrt, prod

from memxc.errors import fail
from memxc.ir.design import Design
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.passes import Context, DesignPass, _patch
from memxc.passes._patch import Shape

POLICIES = ("packed", "paper", "none")


@dataclass(frozen=True)
class Partition(DesignPass):
    """Merge places into patches: `packed` for the fewest unit crossbars, `paper` by its rule.

    packed: of all patches, channel, filter and group blocks that fit a unit crossbar, and of
    im2col cut to size, the one with the fewest placed crossbars.
    paper: the largest square patch, one (channel, filter) pair a crossbar; pointwise kernels
    several pixels side by side. none: im2col.
    """

    name = "partition"
    policy: str = "packed"

    def run(self, design: Design, ctx: Context) -> Design:
        """The design with merged kernels."""
        return design.with_stages(
            _partitioned(stage, ctx, ctx.option(stage.name, "partition", self.policy))
            if isinstance(stage, Linear) and stage.cell == "memristor"
            else stage
            for stage in design.stages
        )


def _partitioned(stage: Linear, ctx: Context, policy: str) -> Linear:
    if policy not in POLICIES:
        raise fail("usage", f"--partition {policy}", "no such policy", f"one of {POLICIES}")
    if policy == "none":
        return stage
    choose = _packed if policy == "packed" else _paper
    kernels: list[Kernel] = []
    for kernel in stage.kernels:
        single = _single_tap(kernel)
        kernel = _patch.flatten_places(kernel) if single else kernel  # noqa: PLW2901
        form = _patch.shape(kernel)
        parts = (
            None
            if form is None
            else choose(kernel, form, ctx.lines(stage.name), stage.schedule == "sequential")
        )
        kernels += [kernel] if parts is None else parts
    return replace(stage, kernels=tuple(kernels))


def _single_tap(kernel: Kernel) -> bool:
    form = _patch.shape(kernel)
    return form is not None and form.taps == 1 and kernel.places > 1


def _paper(
    kernel: Kernel, form: Shape, lines: tuple[int, int], sequential: bool
) -> list[Kernel] | None:
    rows, columns = lines
    if sequential:
        return None
    if form.taps == 1:
        pixels = max(1, min(rows // form.channels, columns // form.filters))
        return [_patch.merge(kernel, (min(pixels, form.grid[0]),))]
    side = max(
        (
            t
            for t in range(1, isqrt(columns) + 1)
            if _patch.rows_per_channel(kernel, form, [t] * len(form.grid)) <= rows
        ),
        default=0,
    )
    if not side:
        return None
    patch = [min(side, size) for size in form.grid]
    return [_patch.merge(part, patch) for part in _patch.split(kernel, form, 1, 1)]


@dataclass(frozen=True)
class _Choice:
    crossbars: int
    cells: int
    patch: tuple[int, ...]
    channels: int
    filters: int
    groups: int


def _packed(
    kernel: Kernel, form: Shape, lines: tuple[int, int], sequential: bool
) -> list[Kernel] | None:
    rows, columns = lines
    bias = kernel.bias_lines if kernel.bias is not None else 0
    places = 1 if sequential else kernel.places
    tiles = _tiles(form.channels * form.taps, bias, rows) * -(-form.filters // columns)
    plain = places * form.groups * tiles
    choices = _choices(kernel, form, (rows - bias, columns), sequential)
    best = min(choices, key=lambda c: (c.crossbars, c.cells, c.patch), default=None)
    if best is None or best.crossbars >= plain:
        return None
    blocks = _patch.split(kernel, form, best.channels, best.filters)
    joined = [
        part
        for block in blocks
        for part in (_patch.join_groups(block, best.groups) if best.groups > 1 else [block])
    ]
    return [_patch.merge(part, best.patch) for part in joined]


def _tiles(rows: int, bias: int, most: int) -> int:
    parts = -(-rows // most)
    return parts if rows - (parts - 1) * most + bias <= most else parts + 1


def _choices(
    kernel: Kernel, form: Shape, fits: tuple[int, int], sequential: bool
) -> Iterator[_Choice]:
    rows, columns = fits
    for patch in _patches(form.grid, columns, sequential):
        height, width = _patch.rows_per_channel(kernel, form, patch), prod(patch)
        if height > rows:
            continue
        channels, filters = min(form.channels, rows // height), min(form.filters, columns // width)
        groups = 1
        if channels == form.channels and filters == form.filters:
            groups = min(form.groups, rows // (height * channels), columns // (width * filters))
        patches = (
            1
            if sequential
            else prod(-(-size // t) for size, t in zip(form.grid, patch, strict=True))
        )
        blocks = -(-form.channels // channels) * -(-form.filters // filters)
        cells = height * channels * width * filters * groups * groups
        yield _Choice(
            patches * blocks * -(-form.groups // groups), cells, patch, channels, filters, groups
        )


def _patches(grid: tuple[int, ...], most: int, sequential: bool) -> Iterator[tuple[int, ...]]:
    if sequential:
        yield (1,) * len(grid)
        return
    for patch in product(*(range(1, min(size, most) + 1) for size in grid)):
        if prod(patch) <= most:
            yield patch
