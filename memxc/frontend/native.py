"""ONNX's C++ code, run in the worker: check a model, infer shapes, inline functions."""

from __future__ import annotations

import onnx  # noqa: TID251
from onnx import inliner, shape_inference, version_converter  # noqa: TID251

from memxc import worker
from memxc.errors import MemxcError, fail

#: Seconds of processor time, also for all shapes and computed constants of a network together, plus
#: seconds for each node; a node takes a tenth of this.
_SECONDS, _A_NODE = 3.0, 3e-4
#: Bytes of memory. Inference computes sizes only, so it needs little beside its constants.
_MEMORY = 2**29


def allowance(nodes: int = 0, held: int = 0) -> worker.Allowance:
    """Return the limits for a model with this many nodes; `held`: bytes that an answer may have."""
    return worker.Allowance(_SECONDS + _A_NODE * nodes, _MEMORY + 4 * held)


def ask(work: str, model: onnx.ModelProto, may_take: worker.Allowance) -> onnx.ModelProto:
    """Return the model that a function of this file makes. Raises worker.Refused, worker.Died."""
    parts = [model.SerializeToString()]
    return worker.ask(f"{__name__}:{work}", parts, may_take, _model)


def _model(answer: list[bytes]) -> onnx.ModelProto:
    (data,) = answer
    model = onnx.ModelProto()
    model.ParseFromString(data)
    return model


def fault(what: str, death: worker.Died, where: str) -> MemxcError:
    """Return the fault of a model that killed the worker; `what` is the library."""
    hint = "the file is damaged, or was made to do this: export the model again"
    return fail("broken-model", where, f"{what} {death}", hint)


def checked(model: bytes) -> list[bytes]:
    """Return an empty model, or raise what ONNX's checker reports."""
    onnx.checker.check_model(model)
    return [b""]


def inferred(model: bytes) -> list[bytes]:
    """Return the model with the types of its outputs."""
    done = shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    return [done.SerializeToString()]


def inlined(model: bytes) -> list[bytes]:
    """Return the model without local functions."""
    parsed = onnx.ModelProto.FromString(model)
    return [inliner.inline_local_functions(parsed).SerializeToString()]


def raised(model: bytes) -> list[bytes]:
    """Return the model in opset 17."""
    done = version_converter.convert_version(onnx.ModelProto.FromString(model), 17)
    return [done.SerializeToString()]
