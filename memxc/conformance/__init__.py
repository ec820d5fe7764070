"""Run ONNX's backend test suite on memxc (`python -m memxc.conformance`)."""

from memxc.conformance.backend import Circuit, MemxcBackend, circuit

__all__ = ["Circuit", "MemxcBackend", "circuit"]
