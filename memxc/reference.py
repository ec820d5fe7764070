"""onnxruntime on the original model: the first rung of the ladder, and the only user of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # noqa: TID251
from numpy.typing import NDArray

from memxc.errors import fail


def run(model: Path | bytes, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The model's outputs (samples, *shape without batch) for inputs (samples, *shape).

    Sample by sample on one thread, so that the answer does not depend on the batch. Raises
    MemxcError (unsupported-model) where onnxruntime refuses the model or the inputs.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    source = model if isinstance(model, bytes) else str(model)
    where = "the model" if isinstance(model, bytes) else str(model)
    try:
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        kinds = {i.name: _dtype(i.type) for i in session.get_inputs()}
        names = [output.name for output in session.get_outputs()]
        count = len(next(iter(inputs.values())))
        answers = []
        for i in range(count):
            feed = {name: v[i : i + 1].astype(kinds[name]) for name, v in inputs.items()}
            answers.append(session.run(names, feed))
    # onnxruntime throws C++ types of many kinds; what it says is what the user needs.
    except Exception as error:
        # Its words go into reports, which hold no path.
        said = (
            str(error) if isinstance(model, bytes) else str(error).replace(str(model), "the model")
        )
        words = said.split("Status Message: ")[-1].splitlines()[:1]
        raise fail("unsupported-model", where, f"onnxruntime refuses it: {' '.join(words)}") from (
            error
        )
    return {
        name: np.stack([_unbatched(answer[k]) for answer in answers])
        for k, name in enumerate(names)
    }


def _unbatched(value: NDArray[Any]) -> NDArray[Any]:
    return value[0] if value.ndim and value.shape[0] == 1 else value


def _dtype(kind: str) -> np.dtype[Any]:
    names = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
    return np.dtype(names.get(kind, kind.removeprefix("tensor(").removesuffix(")")))
