"""What ONNX's own evaluator answers: the reference of a model that onnxruntime refuses.

It is Python and numpy, and shares nothing with onnxruntime. Some of its operators go through their
outputs one by one, so it works in the worker, which has a limit of time.
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
from memxc.evaluation.reference.arrays import Described, packed, unpacked
from memxc.frontend.part import Part
from memxc.frontend.read import read

_Named = dict[str, NDArray[Any]]

#: Seconds of processor time. A sample of SE-FCN (128 x 128) takes 2 s; what takes longer than this
#: is mostly not the network.
SECONDS = 60.0
#: Bytes of memory, for the signals of a sample.
_MEMORY = 2**31


def run(path: Path | Part, inputs: Mapping[str, NDArray[Any]]) -> _Named:
    """The model's outputs (samples, *shape without batch) for inputs (samples, *shape).

    Raises MemxcError (unsupported-model) where the evaluator refuses the model, or takes longer
    than `SECONDS`.
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
    """In the worker: the outputs of a model, as `memxc.evaluation.reference.arrays` packs them."""
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
            raise ValueError(f"{name} holds values that {kinds[name]} has not")
    evaluator = ReferenceEvaluator(model)
    answers = [
        evaluator.run(None, {name: values[at : at + 1] for name, values in typed.items()})
        for at in range(len(next(iter(typed.values()))))
    ]
    names = [value.name for value in model.graph.output]
    return {
        name: np.stack([_unbatched(np.asarray(value)) for value in found])
        for name, found in zip(names, zip(*answers, strict=True), strict=True)
    }


def _unbatched(value: NDArray[Any]) -> NDArray[Any]:
    return value[0] if value.shape[:1] == (1,) else value
