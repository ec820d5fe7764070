"""memxc against ONNX's own backend test suite; `python -m memxc.conformance` runs it."""

from memxc.conformance.backend import Circuit, MemxcBackend, circuit

__all__ = ["Circuit", "MemxcBackend", "circuit"]
