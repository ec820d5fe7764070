"""Conv over any number of axes: one crossbar for each group, used at every place of the map."""

from __future__ import annotations

from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ops._call import Call, Parts, lanes
from memxc.ops._registry import operator
from memxc.ops._windows import grid, map_sinks, map_taps, sliding

#: The attributes of every convolution, with ONNX's defaults.
ATTRS = {
    "auto_pad": "NOTSET",
    "dilations": None,
    "group": 1,
    "kernel_shape": None,
    "pads": None,
    "strides": None,
}


@operator("Conv", attrs=ATTRS)
def conv(call: Call) -> Parts:
    """Return a stage with a bit line for each output channel and a word line for each tap.

    Each input channel has its own taps.
    """
    weight = call.constant(1, "weight")
    bias = call.constant(2, "bias") if call.has(2) else None
    src, groups = call.bus(0), call.attrs["group"]
    kernel = weight.shape[2:]
    if weight.ndim != len(call.shape_of(0)) or (
        bias is not None and bias.shape != weight.shape[:1]
    ):
        raise call.refuse(
            f"a weight of {weight.shape} fits neither the input nor the bias",
            code="unsupported-shape",
        )
    stated = call.attrs["kernel_shape"]
    if stated is not None and tuple(stated) != kernel:
        raise call.refuse(f"kernel_shape = {stated} contradicts a weight of {weight.shape}")
    if groups < 1 or weight.shape[0] % groups or call.shape_of(0)[1] != groups * weight.shape[1]:
        raise call.refuse(
            f"group = {groups} does not fit an input of {call.shape_of(0)} "
            f"and a weight of {weight.shape}"
        )
    slide = sliding(call, kernel)
    batch, filters = call.shape_of(0)[0], weight.shape[0] // groups
    rows = weight.shape[1] * slide.taps
    block = Kernel(
        values=weight.reshape(groups, filters, rows).transpose(0, 2, 1).reshape(groups, -1),
        cell=None,
        bias=None if bias is None else bias.reshape(groups, filters),
        taps=map_taps(call.nets(0), slide, groups),
        sinks=map_sinks(lanes(call.shape), groups),
        grid=grid(batch, *slide.out),
    )
    return [Linear(call.name, src, call.dst, (block,))]
