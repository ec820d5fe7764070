"""Unit crossbars by the sub-image rule of Oh, An, Min, Micromachines 14(2):309 (2023).

It counts the convolutions of a design by that rule, however the design itself is laid out: fully
parallel, with differential pairs. `resources` counts what is built.

    t = the largest side with S * S <= rows and t * t <= columns / 2,  S = (t - 1) * stride + taps

    3D     channels * filters * patches of t x t places
    2D     channels * patches
    1D     ceil(pixels / p) * parts,  p = min(rows / channels, (columns / 2) / filters) pixels side
           by side, at least 1; parts > 1 if one pixel is too large

docs/papers.md derives it. The rule says nothing about biases, which are not counted, or about dense
layers, which are counted apart from the total.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from memxc.backends.cost.rows import RuleCounts, StageLayout, SubImages
from memxc.interfaces import Context
from memxc.ir.design import Design
from memxc.ir.stages import Lanes, Linear, Stage
from memxc.mapping.layout import Layout, Policy, layout_kind, plan_layout, pointwise
from memxc.mapping.shape import kernel_shape

_KINDS = ("3D", "2D", "1D", "dense", "irregular")


@dataclass(frozen=True)
class Counted:
    """A kernel by the rule.

    as_3d, as_2d_1d: unit crossbars of the same layer in the other form. A 2D kernel and the 1D
    kernel behind it are one layer, and the 2D kernel has the number in as_3d; the 1D kernel has 0.
    """

    layout: Layout
    as_3d: int
    as_2d_1d: int


def layouts(design: Design, policy: Policy, ctx: Context) -> tuple[StageLayout, ...]:
    """Return how the kernels of each crossbar stage are laid out, one entry for each kernel."""
    kernel_layouts = []
    for stage in _stages(design):
        stage_policy = ctx.option(stage.name, "partition", policy)
        for kernel in stage.kernels:
            layout = plan_layout(kernel, stage_policy, ctx.lines(stage.name), stage.sequential)
            kernel_layouts.append(
                StageLayout.model_validate({"stage": stage.name, **asdict(layout)})
            )
    return tuple(kernel_layouts)


def measure(design: Design, ctx: Context) -> SubImages:
    """Return unit crossbars by kind of kernel and in all, for square patches and for rectangles."""
    return SubImages(
        square=_sums(_counted(design, "paper", ctx)),
        rectangular=_sums(_counted(design, "paper-rectangular", ctx)),
    )


def _sums(rows: Iterable[Counted]) -> RuleCounts:
    counted = list(rows)
    kinds = {
        kind.lower(): sum(row.layout.crossbars for row in counted if row.layout.kind == kind)
        for kind in _KINDS
    }
    total = kinds["3d"] + kinds["2d"] + kinds["1d"]
    convolutions = [row for row in counted if row.layout.kind in ("3D", "2D", "1D")]
    sums = {
        "total": total,
        "as_3d": sum(row.as_3d for row in convolutions),
        "as_2d_1d": sum(row.as_2d_1d for row in convolutions),
    }
    return RuleCounts.model_validate({**kinds, **sums})


def _counted(design: Design, policy: Policy, ctx: Context) -> Iterator[Counted]:
    pairs = _pairs(design)
    behind = set(pairs.values())
    for stage in _stages(design):
        rows, columns = ctx.tile(stage.name)
        for kernel in stage.kernels:
            layout = plan_layout(kernel, policy, (rows, columns // 2))
            as_3d = as_pair = layout.crossbars
            form = kernel_shape(kernel)
            if layout.kind == "3D" and form is not None and layout.patch:
                one = pointwise(kernel.places, form.channels, form.filters, (rows, columns // 2))
                as_pair = layout.crossbars // form.filters + form.groups * one
            elif stage in pairs:
                as_3d = layout.crossbars // kernel.columns * pairs[stage].kernels[0].columns
            elif stage in behind:
                as_3d = 0
            yield Counted(layout, as_3d, as_pair)


def _stages(design: Design) -> Iterator[Linear]:
    for stage in design.stages:
        if isinstance(stage, Linear) and stage.tiled:
            yield stage


def _pairs(design: Design) -> dict[Linear, Linear]:
    """Return each 2D kernel that only a 1D kernel reads, directly or behind lane functions."""
    readers: dict[str, list[Stage]] = {}
    for stage in design.stages:
        for src in stage.srcs:
            readers.setdefault(src, []).append(stage)
    pairs = {}
    for stage in _stages(design):
        if _kinds(stage) != {"2D"}:
            continue
        reader = _only(readers, stage)
        while isinstance(reader, Lanes) and len(reader.srcs) == 1:
            reader = _only(readers, reader)
        if isinstance(reader, Linear) and _kinds(reader) == {"1D"} and len(reader.kernels) == 1:
            pairs[stage] = reader
    return pairs


def _only(readers: Mapping[str, list[Stage]], stage: Stage) -> Stage | None:
    """Return the only stage that reads a stage, or None if there are several or none."""
    reading = readers.get(stage.dst, [])
    return reading[0] if len(reading) == 1 else None


def _kinds(stage: Linear) -> set[str]:
    return {layout_kind(kernel, kernel_shape(kernel)) for kernel in stage.kernels}
