"""Run ONNX's suite once a session."""

from __future__ import annotations

import pytest

from memxc.conformance import suite


@pytest.fixture(scope="session")
def cases():
    return suite.run()
