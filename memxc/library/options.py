"""The keywords of memxc.compile. Written by python -m memxc.cli._generated; do not edit by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypedDict


class Keywords(TypedDict, total=False):
    """The options of a compilation as keywords of memxc.compile, in the words of the command line.

    schedule: Build a crossbar for every place (parallel), or one that computes the places in turn
    (sequential), and the lane functions behind it, too.
    partition: How places of a convolution share a crossbar.
    signed: Build a negative weight from a pair of devices, or from one device at an inverted input.
    batchnorm: Fold BatchNormalization into the weights, or build a stage of its own for it.
    mitigate: Reduce the effect of wire resistance: both-ends drives word lines at both ends,
    reorder moves the largest currents close to amplifiers and drivers, and compensate corrects
    conductances. Verify such a design with --wire.
    separate: Replace 3D kernels by a depthwise and a pointwise kernel (2D + 1D) in this share of
    the layers that allow it.
    clip_weights: Cut this share of the weights of each layer, the largest ones, to the size of the
    next one, so that the others use more levels of the device.
    prune: Remove weights, lines or crossbars of little effect, for example ckf:0.5, ckf-loss:0.01,
    crossbar:0.3, word-line:0.2 or bit-line:0.2. Repeat the option to prune several times; the order
    counts.
    refit: Fit the weights that --prune leaves, so that the network answers on the samples as it did
    before.
    zeros: Build no device for a weight of exactly zero (absent), or a pair of devices at g_min
    (parked).
    passes: Run exactly these passes, in this order. The command memxc passes lists them.
    shapes: Set the shape of an input whose size the model leaves open, or whose first axis is no
    batch. Repeat the option for other inputs.
    fix: Replace an input of the model by a constant: one number, or all numbers of a small tensor.
    Repeat the option for other inputs.
    inputs: Take only the part of the network that begins at these tensors.
    outputs: Take only the part of the network that ends at these tensors.
    input_range: The range of the inputs, used when there are no samples. An input of 8 bits or
    fewer uses all its codes.
    digital: Keep parts of the network digital, between converters: auto for every node without a
    circuit, or the names of nodes and operators.
    stage_set: Set an option of one stage: partition, schedule, tile. Repeat the option for others.
    seed: The seed of the random inputs that are used when there are no samples.
    """

    schedule: Literal["parallel", "sequential"]
    partition: Literal["packed", "paper", "paper-rectangular", "none"]
    signed: Literal["differential", "inverted-inputs"]
    batchnorm: Literal["fold", "stage"]
    mitigate: (
        Literal["both-ends", "reorder", "compensate"]
        | tuple[Literal["both-ends", "reorder", "compensate"], ...]
    )
    separate: float | None
    clip_weights: float | None
    prune: str | tuple[str, ...]
    refit: bool
    zeros: Literal["absent", "parked"] | None
    passes: str | None
    shapes: Mapping[str, int | tuple[int, ...]]
    fix: Mapping[str, float | tuple[float, ...]]
    inputs: str | tuple[str, ...]
    outputs: str | tuple[str, ...]
    input_range: tuple[float, float]
    digital: str | tuple[str, ...]
    stage_set: str | tuple[str, ...]
    seed: int
