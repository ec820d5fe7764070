"""Run ONNX's backend test suite on memxc (`python -m memxc.conformance`)."""

from memxc.conformance.backend import CompiledCase, MemxcBackend, circuit

__all__ = ["CompiledCase", "MemxcBackend", "circuit"]
