"""A network compiled once for all tests of the library."""

from __future__ import annotations

import shutil

import numpy as np
import onnx
import pytest

import memxc


@pytest.fixture
def inputs(model):
    """The samples beside the model: x (7, 2, 6, 5), and y (7,)."""
    with np.load(model.with_suffix(".samples.npz")) as file:
        return file["x"], file["y"]


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    return tmp_path_factory.mktemp("library") / "net"


@pytest.fixture
def build(model, inputs, once, tmp_path, one_process):
    """A Build of the model in its own folder, which the test may change."""
    if not once.exists():
        memxc.compile(onnx.load(model), samples=inputs, output=once)
    return memxc.load(shutil.copytree(once, tmp_path / "net"))
