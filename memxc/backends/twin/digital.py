"""The functions that stay digital at the edge of the network, as ONNX operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onnx import TensorProto  # noqa: TID251

from memxc.backends.twin.graph_builder import Sheet, TwinTensor
from memxc.ir.stages import Digital


def draw(sheet: Sheet, stage: Digital, source: TwinTensor, shape: tuple[int, ...]) -> TwinTensor:
    """Return the result of a digital function, in the shape of its bus."""
    options = dict(stage.options)
    inner = tuple(options.pop("shape"))
    tensor = sheet.reshape(sheet.first(source), inner)
    return sheet.reshape(_DRAWN[stage.function](sheet, tensor, **options), shape)


def _softmax(sheet: Sheet, x: TwinTensor, axes: Sequence[int]) -> TwinTensor:
    power = sheet.op("Exp", _below_zero(sheet, x, axes))
    return TwinTensor(sheet.op("Div", power, _total(sheet, power, axes)), x.shape)


def _log_softmax(sheet: Sheet, x: TwinTensor, axes: Sequence[int]) -> TwinTensor:
    below = _below_zero(sheet, x, axes)
    total = _total(sheet, sheet.op("Exp", below), axes)
    return TwinTensor(sheet.op("Sub", below, sheet.op("Log", total)), x.shape)


def _argmax(sheet: Sheet, x: TwinTensor, axis: int, keepdims: bool, last: bool) -> TwinTensor:
    index = sheet.op("ArgMax", x.name, axis=axis + 1, keepdims=1, select_last_index=int(last))
    shape = tuple(1 if a == axis else size for a, size in enumerate(x.shape))
    return TwinTensor(sheet.op("Cast", index, to=TensorProto.FLOAT), shape)


def _below_zero(sheet: Sheet, x: TwinTensor, axes: Sequence[int]) -> str:
    along = [axis + 1 for axis in axes]
    # Since opset 18, the axes are an input.
    if sheet.opset < 18:
        largest = sheet.op("ReduceMax", x.name, axes=along, keepdims=1)
    else:
        largest = sheet.op("ReduceMax", x.name, sheet.integers(along), keepdims=1)
    return sheet.op("Sub", x.name, largest)


def _total(sheet: Sheet, x: str, axes: Sequence[int]) -> str:
    return sheet.op("ReduceSum", x, sheet.integers([axis + 1 for axis in axes]), keepdims=1)


_DRAWN: dict[str, Callable[..., TwinTensor]] = {
    "softmax": _softmax,
    "log-softmax": _log_softmax,
    "argmax": _argmax,
}
