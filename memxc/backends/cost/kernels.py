"""The papers' way of counting: each kernel on its own, nothing shared, nothing tiled.

For n kernels with M_1 + M_2 + ... = m inputs in all:

                         differential, (M+1) x 2     inverted inputs, (2M+1) x 1
    memristors                  2 (m + n)                     2 m + n
    word lines                    m + n                       2 m + n
    bit lines                      2 n                           n
    op-amps                        2 n                         m + n
    inverters                       n                            m
    inverters_shared                n                  largest M of each layer, summed

The bias always has a line. A weight of zero counts, and so does a missing bias. `inverters_shared`
are the inverters if all kernels of a layer use the inverters of one kernel, in turn; op-amp 1 of a
differential pair cannot be shared. Source: docs/papers.md, the ShuffleNetV2 circuits.
"""

from __future__ import annotations

from dataclasses import dataclass

from memxc.backends.cost.rows import KernelBill, PerKernel
from memxc.ir.design import Design
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear


@dataclass(frozen=True)
class Kernels:
    """How many kernels a network has, and the sum of their inputs M. `+` adds them.

    layer_inputs: the M of the largest kernel of each layer, summed over the layers.
    """

    kernels: int = 0
    inputs: int = 0
    layer_inputs: int = 0

    def __add__(self, other: Kernels) -> Kernels:
        return Kernels(
            self.kernels + other.kernels,
            self.inputs + other.inputs,
            self.layer_inputs + other.layer_inputs,
        )

    def bills(self) -> PerKernel:
        """Return the bills of materials of the two ways to build a signed weight."""
        n, m = self.kernels, self.inputs
        return PerKernel(
            differential=self._bill(
                memristors=2 * (m + n),
                word_lines=m + n,
                bit_lines=2 * n,
                opamps=2 * n,
                inverters=n,
                inverters_shared=n,
            ),
            inverted_inputs=self._bill(
                memristors=2 * m + n,
                word_lines=2 * m + n,
                bit_lines=n,
                opamps=m + n,
                inverters=m,
                inverters_shared=self.layer_inputs,
            ),
        )

    def _bill(self, memristors: int, **counts: int) -> KernelBill:
        blank = dict.fromkeys(KernelBill.model_fields)
        own = {"kernels": self.kernels, "crossbars": self.kernels, "memristors": memristors}
        own["memristors_defined"] = memristors
        return KernelBill.model_validate({**blank, **own, **counts})


def measure(lowered: Design) -> Kernels:
    """Return the kernels of a lowered design, before partition and tile.

    Fixed resistors (average pooling) are no kernels.
    """
    layers = (
        _layer(stage.kernels)
        for stage in lowered.stages
        if isinstance(stage, Linear) and stage.tiled
    )
    return sum(layers, Kernels())


def _layer(blocks: tuple[Kernel, ...]) -> Kernels:
    return Kernels(
        kernels=sum(block.groups * block.columns for block in blocks),
        inputs=sum(block.groups * block.devices for block in blocks),
        layer_inputs=max(map(_inputs, blocks)),
    )


def _inputs(block: Kernel) -> int:
    """Return the inputs of the widest kernel of a block."""
    return block.rows if block.cell is None else int((block.cell >= 0).sum(axis=0).max())
