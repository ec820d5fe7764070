"""ONNX's own cases of the operators on codes: codes and sums are equal, not near."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest

from memxc.errors import MemxcError
from memxc.ops.lower import survey

#: Operator: which inputs are signals in turn, the fewest runs that pass, and those with a fault.
CASES = {
    "QuantizeLinear": ([0], 10, 3),
    "DequantizeLinear": ([0], 9, 5),
    "QLinearConv": ([0], 1, 0),
    "QLinearMatMul": ([0, 3], 16, 0),
    "ConvInteger": ([0], 2, 0),
    "MatMulInteger": ([0, 1], 2, 0),
    "Cast": ([0], 20, 36),
    "CastLike": ([0], 20, 36),
}
#: What is lost where the model rounds its results and the circuit does not.
ROUNDING = {"float16": 1e-3, "bfloat16": 1e-2, "float32": 1e-6, "float64": 1e-6}
REASONS = ("which no circuit carries", "no circuit turns float into")


def numbers(value):
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def reason(graph):
    """Why a node is refused, in a few words; None where it is not."""
    _, faults = survey(graph)
    return next((words for words in REASONS if faults and words in faults[0].what), None)


@pytest.mark.parametrize("op", CASES)
def test_onnx_cases(op, node_cases, case_graph, case_run):
    places, passing, refused = CASES[op]
    counts = Counter()
    for case in node_cases[op]:
        inputs, expected = (list(map(numbers, side)) for side in case.data_sets[0])
        values = dict(zip([v.name for v in case.model.graph.input], inputs, strict=True))
        for place in places:
            signal = case.model.graph.node[0].input[place]
            constants = {name: value for name, value in values.items() if name != signal}
            graph = case_graph(case.model, constants)
            why = reason(graph)
            if why:
                counts[why] += 1
                with pytest.raises(MemxcError):
                    case_run(graph, values)
                continue
            found = case_run(graph, values)[graph.outputs[0]]
            assert found.shape == expected[0].shape
            near = ROUNDING.get(expected[0].dtype.name, 0)
            wanted = expected[0].astype(np.float64)
            np.testing.assert_allclose(found, wanted, near, near, err_msg=case.name)
            counts["pass"] += 1
    print(f"{op}: {dict(counts)}")
    assert counts["pass"] >= passing
    assert counts.total() - counts["pass"] >= refused
