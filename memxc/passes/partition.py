"""partition: places are merged into sub-images, so that one crossbar serves a patch of outputs.

docs/partition.md has the rules of the policies.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from memxc.interfaces import Context, DesignPass, Option, Result
from memxc.ir.design import Design
from memxc.ir.stages import Linear
from memxc.mapping.layout import Policy, lay_out, plan_layout


@dataclass(frozen=True)
class Partition(DesignPass):
    """Merge places into patches: `packed` for the fewest unit crossbars, `paper` by its rule.

    packed: of all patches, channel, filter and group blocks that fit a unit crossbar, and of
    im2col cut to size, the one with the fewest placed crossbars.
    paper: the largest square patch, one (channel, filter) pair a crossbar; pointwise kernels
    several pixels side by side. paper-rectangular: the same with rectangles. none: im2col.
    """

    name = "partition"
    policy: Policy = field(
        default="packed",
        metadata={
            "option": Option(
                "--partition",
                "How places of a convolution share a crossbar.",
                page="partition.md",
                per_stage=True,
            )
        },
    )

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with merged kernels."""
        stages = (
            _partitioned(stage, ctx, ctx.option(stage.name, "partition", self.policy))
            if isinstance(stage, Linear) and stage.tiled
            else stage
            for stage in design.stages
        )
        return Result(design.with_stages(stages))


def _partitioned(stage: Linear, ctx: Context, policy: Policy) -> Linear:
    lines, sequential = ctx.lines(stage.name), stage.sequential
    return replace(
        stage,
        kernels=tuple(
            part
            for kernel in stage.kernels
            for part in lay_out(kernel, plan_layout(kernel, policy, lines, sequential))
        ),
    )
