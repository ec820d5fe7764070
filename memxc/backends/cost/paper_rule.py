"""Unit crossbars by the sub-image rule of Oh, An, Min, Micromachines 14(2):309 (2023).

Counted for the convolutions of a design whatever its own layout: the rule of docs/papers.md, fully
parallel, with differential pairs. It says nothing of biases and dense layers, so these are counted
apart or not at all; `resources` counts what is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from memxc.backends.cost.rows import RuleCounts, StageLayout, SubImages
from memxc.interfaces import Context
from memxc.ir.design import Design
from memxc.ir.stages import Lanes, Linear, Stage
from memxc.mapping.layout import Layout, layout_kind, plan_layout, pointwise
from memxc.mapping.shape import shape

_KINDS = ("3D", "2D", "1D", "dense", "irregular")


@dataclass(frozen=True)
class Counted:
    """A kernel by the rule. as_3d, as_2d_1d: the crossbars of the same layer in the other form.

    A 2D kernel with the 1D kernel behind it is one layer; as_3d stands with the former.
    """

    stage: str
    layout: Layout
    as_3d: int
    as_2d_1d: int


def layouts(design: Design, policy: str, ctx: Context) -> tuple[StageLayout, ...]:
    """How the kernels of each crossbar stage are laid out, one entry a kernel."""
    found = []
    for stage in _stages(design):
        own = ctx.option(stage.name, "partition", policy)
        for kernel in stage.kernels:
            layout = plan_layout(kernel, own, ctx.lines(stage.name), stage.sequential)
            found.append(StageLayout.model_validate({"stage": stage.name, **asdict(layout)}))
    return tuple(found)


def measure(design: Design, ctx: Context) -> SubImages:
    """Crossbars by kind of kernel and in all, for square patches and for rectangles."""
    return SubImages(
        square=_sums(_counted(design, "paper", ctx)),
        rectangular=_sums(_counted(design, "paper-rectangular", ctx)),
    )


def _sums(rows: Iterable[Counted]) -> RuleCounts:
    found = list(rows)
    kinds = {
        which.lower(): sum(row.layout.crossbars for row in found if row.layout.kind == which)
        for which in _KINDS
    }
    total = kinds["3d"] + kinds["2d"] + kinds["1d"]
    convolutions = [row for row in found if row.layout.kind in ("3D", "2D", "1D")]
    sums = {
        "total": total,
        "as_3d": sum(row.as_3d for row in convolutions),
        "as_2d_1d": sum(row.as_2d_1d for row in convolutions),
    }
    return RuleCounts.model_validate({**kinds, **sums})


def _counted(design: Design, policy: str, ctx: Context) -> Iterator[Counted]:
    pairs = _pairs(design)
    behind = set(pairs.values())
    for stage in _stages(design):
        rows, columns = ctx.tile(stage.name)
        for kernel in stage.kernels:
            layout = plan_layout(kernel, policy, (rows, columns // 2))
            as_3d = as_pair = layout.crossbars
            form = shape(kernel)
            if layout.kind == "3D" and form is not None and layout.patch:
                one = pointwise(kernel.places, form.channels, form.filters, (rows, columns // 2))
                as_pair = layout.crossbars // form.filters + form.groups * one
            elif stage in pairs:
                as_3d = layout.crossbars // kernel.columns * pairs[stage].kernels[0].columns
            elif stage in behind:
                as_3d = 0
            yield Counted(stage.name, layout, as_3d, as_pair)


def _stages(design: Design) -> Iterator[Linear]:
    for stage in design.stages:
        if isinstance(stage, Linear) and stage.tiled:
            yield stage


def _pairs(design: Design) -> dict[Linear, Linear]:
    """2D kernels and the 1D kernels that alone read them, at once or behind lane functions."""
    readers: dict[str, list[Stage]] = {}
    for stage in design.stages:
        for src in stage.srcs:
            readers.setdefault(src, []).append(stage)
    found = {}
    for stage in _stages(design):
        if _kinds(stage) != {"2D"}:
            continue
        reader = _only(readers, stage)
        while isinstance(reader, Lanes) and len(reader.srcs) == 1:
            reader = _only(readers, reader)
        if isinstance(reader, Linear) and _kinds(reader) == {"1D"} and len(reader.kernels) == 1:
            found[stage] = reader
    return found


def _only(readers: Mapping[str, list[Stage]], stage: Stage) -> Stage | None:
    """The one stage that reads a stage, or None."""
    found = readers.get(stage.dst, [])
    return found[0] if len(found) == 1 else None


def _kinds(stage: Linear) -> set[str]:
    return {layout_kind(kernel, shape(kernel)) for kernel in stage.kernels}
