"""memxc against ONNX's own backend test suite; `python -m memxc.conformance` runs it."""

from memxc.conformance.backend import CompiledCase, MemxcBackend, circuit

__all__ = ["CompiledCase", "MemxcBackend", "circuit"]
