"""The twin run in onnxruntime, beside evaluate in double precision, which says what is right."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from memxc.backends import twin
from memxc.evaluation import evaluate, reference

SHAPES_DIFFER = "the twin's outputs are not the network's"


def run(made: bytes, inputs) -> dict[str, np.ndarray]:
    onnx.checker.check_model(onnx.load_from_string(made), full_check=True)
    session = reference.session(made)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def distance(design, inputs) -> float:
    inputs = {name: np.asarray(values, dtype=np.float32) for name, values in inputs.items()}
    wanted = evaluate.outputs(design, inputs)
    found = run(twin.model(design), inputs)
    assert list(found) == list(wanted), SHAPES_DIFFER
    shapes = {k: v.shape for k, v in wanted.items()}
    assert {k: v.shape for k, v in found.items()} == shapes, SHAPES_DIFFER
    return max(
        np.abs(found[name] - wanted[name]).max() / max(np.abs(wanted[name]).max(), 1e-30)
        for name in wanted
    )


@pytest.fixture(scope="session")
def answers():
    """The outputs of a model by name; checked by ONNX's own checker, run on one thread."""
    return run


@pytest.fixture(scope="session")
def apart():
    """Largest relative error of a design's twin over its outputs, whose names and shapes have to
    be the network's."""
    return distance
