"""ONNX's own evaluator: the reference for a model that onnxruntime refuses.

It is Python and numpy, and shares nothing with onnxruntime. Some of its operators loop over their
outputs one by one, so it runs in the worker, which has a time limit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx  # noqa: TID251
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator  # noqa: TID251

from memxc import worker
from memxc.errors import fail
from memxc.evaluation.reference.arrays import Described, packed, unbatched, unpacked
from memxc.frontend.part import ModelPart
from memxc.frontend.read import read

_Named = dict[str, NDArray[Any]]

#: Seconds of processor time. A sample of SE-FCN (128 x 128) takes 2 s. A model that takes longer
#: than this mostly is not a usual network.
SECONDS = 60.0
#: Bytes of memory for the signals of one sample.
_MEMORY = 2**31


def run(path: Path | ModelPart, inputs: Mapping[str, NDArray[Any]]) -> _Named:
    """Return the model's outputs (samples, *shape without batch) for inputs (samples, *shape).

    Raises MemxcError (unsupported-model) if the evaluator refuses the model, or takes longer than
    `SECONDS`.
    """
    described, parts = packed(inputs)
    try:
        return worker.ask(
            f"{__name__}:answered",
            [read(path).SerializeToString(), *parts],
            worker.Allowance(SECONDS, _MEMORY),
            lambda answer: unpacked(json.loads(answer[0]), answer[1:]),
            described=described,
        )
    except worker.Died as death:
        raise fail("unsupported-model", str(path), f"onnx.reference {death}") from death
    except worker.Refused as error:
        line = " ".join(str(error).split("\n", 1)[0].split())
        what = f"onnx.reference refuses it: {line[:200]}"
        raise fail("unsupported-model", str(path), what) from error


def answered(data: bytes, *arrays: bytes, described: Described) -> list[bytes]:
    """In the worker: return a model's outputs, packed by `memxc.evaluation.reference.arrays`."""
    described, parts = packed(_outputs(data, unpacked(described, arrays)))
    return [json.dumps(described).encode(), *parts]


def _outputs(data: bytes, inputs: _Named) -> _Named:
    model = onnx.ModelProto.FromString(data)
    kinds = {
        value.name: onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        for value in model.graph.input
    }
    typed = {name: values.astype(kinds[name]) for name, values in inputs.items()}
    for name, values in inputs.items():
        if kinds[name].kind in "iub" and (typed[name] != values).any():
            raise ValueError(f"{name} holds values that {kinds[name]} does not have")
    evaluator = ReferenceEvaluator(model)
    answers = [
        evaluator.run(None, {name: values[at : at + 1] for name, values in typed.items()})
        for at in range(len(next(iter(typed.values()))))
    ]
    names = [value.name for value in model.graph.output]
    return {
        name: np.stack([unbatched(np.asarray(value)) for value in samples])
        for name, samples in zip(names, zip(*answers, strict=True), strict=True)
    }
