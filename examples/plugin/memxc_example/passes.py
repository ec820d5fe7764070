"""A pass over the graph with one option."""

from dataclasses import dataclass, replace

import numpy as np

from memxc.interfaces import Context, Graph, GraphPass, Result


@dataclass(frozen=True)
class RoundWeights(GraphPass):
    """Round the weights of each layer to `bits` bits and a sign; lossy."""

    name = "round-weights"
    exact = False
    bits: int = 8

    def run(self, graph: Graph, context: Context) -> Result[Graph]:
        """Round kernels and matrices; biases stay as they are."""
        weights = dict(graph.weights)
        for name, values in graph.weights.items():
            if values.ndim > 1 and values.dtype.kind == "f" and values.any():
                step = np.abs(values).max() / (2**self.bits - 1)
                weights[name] = (np.round(values / step) * step).astype(values.dtype)
        return Result(replace(graph, weights=weights))
