"""clip-weights: cut the largest weights of each layer, so that the others use more levels.

The range of a device stands for the largest weight of a column. Where a few weights are much larger
than the others, the others share a small part of the range, and few of the device's levels:

     before  |....:....:....:....:....:....:....:....|     levels from 0 to the largest weight
              ||||||||||                            |
     after   |....:....:....:....:....:....:....:....|     levels from 0 to the largest that stays
              |    |    |    |    |    |    |       |

This is the percentile clipping of quantised networks, applied to conductances.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from memxc import units
from memxc.analysis.layer import layers_of, with_layers
from memxc.interfaces import Context, GraphPass, Option, Result
from memxc.ir.graph import Graph


@dataclass(frozen=True)
class ClipWeights(GraphPass):
    """Cut weights of each layer to the size of the largest weight that is not among them.

    share: of the weights of a layer, the largest ones. At least one weight stays as it is, and
    biases do.
    """

    name = "clip-weights"
    exact = False
    share: float = field(
        default=0.001,
        metadata={
            "option": Option(
                "--clip-weights",
                "Cut this share of the weights of each layer, the largest ones, to the size of the "
                "next one, so that the others use more levels of the device.",
                metavar="SHARE",
                read=units.parse,
                example="--clip-weights 0.001",
                page="targets.md",
            )
        },
    )

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share = {self.share:g} is not above 0 and below 1")

    def run(self, graph: Graph, ctx: Context) -> Result[Graph]:
        """Return the graph with its largest weights cut."""
        clipped = {}
        for index, layer in layers_of(graph).items():
            sizes = np.sort(np.abs(layer.weight), axis=None)
            cut = min(round(self.share * len(sizes)), len(sizes) - 1)
            limit = sizes[len(sizes) - 1 - cut]
            clipped[index] = replace(layer, weight=np.clip(layer.weight, -limit, limit))
        return Result(with_layers(graph, clipped))
