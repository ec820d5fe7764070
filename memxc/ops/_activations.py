"""The activations that a recurrent node names in its attribute `activations`."""

from __future__ import annotations

from dataclasses import dataclass

from memxc.ir.graph import Graph, Node
from memxc.ir.stages import Circuit, Lanes
from memxc.ops._blocks import PAIR, SUM, built
from memxc.ops._call import Call
from memxc.ops._registry import COLUMNS
from memxc.ops._steps import ShapedNets, Steps

#: The names in ONNX's words, and which of alpha and beta each of them reads.
_READS = {
    "Affine": ("alpha", "beta"),
    "Elu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "LeakyRelu": ("alpha",),
    "Relu": (),
    "ScaledTanh": ("alpha", "beta"),
    "Sigmoid": (),
    "Softplus": (),
    "Softsign": (),
    "Tanh": (),
    "ThresholdedRelu": ("alpha",),
}
#: Activations without defaults on which ONNX and onnxruntime agree.
_SAID = frozenset({"Affine", "ScaledTanh", "ThresholdedRelu"})
#: The functions that are no operators of ONNX.
_WRITTEN = {
    "Affine": ("{alpha!r}*x0+{beta!r}", built("affine", SUM)),
    "ScaledTanh": ("{alpha!r}*tanh({beta!r}*x0)", built("scaled_tanh", PAIR)),
}
_ANY_OPSET = 22


@dataclass(frozen=True)
class Activation:
    """One function of a signal, which is limited to -clip ... clip in front of it."""

    expr: str
    circuit: Circuit
    keeps_scale: bool
    clip: float | None

    def of(self, steps: Steps, word: str, src: ShapedNets) -> ShapedNets:
        """Return the function of every net."""
        if self.clip is not None:
            expr = f"min(max(x0,{-self.clip!r}),{self.clip!r})"
            limiter = Circuit("clip", opamps=2, diodes=4)
            src = steps.lanes(f"{word}/clip", expr, limiter, src, keeps_scale=True)
        return steps.lanes(word, self.expr, self.circuit, src, keeps_scale=self.keeps_scale)


def activations(call: Call, defaults: tuple[str, ...], directions: int) -> list[list[Activation]]:
    """Return the activations of each direction. defaults: their names if the node gives none.

    The lists activation_alpha and activation_beta have a number for each activation that reads one,
    in order, as onnxruntime reads them. Raises MemxcError if they do not fit.
    """
    given = call.attrs["activations"]
    names = list(defaults) * directions if given is None else [str(name) for name in given]
    if len(names) != len(defaults) * directions:
        what = f"{len(names)} activations, where it has {len(defaults) * directions}"
        raise call.refuse(what)
    left = {
        role: [float(number) for number in call.attrs[f"activation_{role}"] or ()]
        for role in ("alpha", "beta")
    }
    clip = call.attrs["clip"]
    if clip is not None and clip <= 0:
        raise call.refuse(f"clip = {clip:g} has to be positive")
    found = [_activation(call, name, left, clip) for name in names]
    for role, numbers in left.items():
        if numbers:
            what = f"activation_{role} has more numbers than its activations read"
            raise call.refuse(what, "leave out the numbers that no activation reads")
    each = len(defaults)
    return [found[first : first + each] for first in range(0, len(found), each)]


def _activation(
    call: Call, name: str, left: dict[str, list[float]], clip: float | None
) -> Activation:
    # Runtimes compare the names without their case.
    known = {word.lower(): word for word in _READS}.get(name.lower())
    if known is None:
        raise call.refuse(f"the activation {name!r} is unknown", f"known: {', '.join(_READS)}")
    attrs = {role: left[role].pop(0) for role in _READS[known] if left[role]}
    if known in _SAID and len(attrs) < len(_READS[known]):
        what = f"the activation {known} without its numbers ({', '.join(_READS[known])})"
        raise call.refuse(
            what, "give activation_alpha and activation_beta: runtimes do not agree on a default"
        )
    if known in COLUMNS:
        return _of_operator(known, attrs, clip)
    expr, block = _WRITTEN[known]
    return Activation(expr.format(**attrs), block, False, clip)


def _of_operator(name: str, attrs: dict[str, float], clip: float | None) -> Activation:
    """Return the function of an operator of ONNX, as that operator's own column builds it."""
    node, column = Node(name, name, ("x",), ("y",), attrs), COLUMNS[name]
    graph = Graph(name, ("x",), ("y",), (node,), {"x": (1,), "y": (1,)}, {}, _ANY_OPSET, {})
    (stage,) = column.lower(Call(node, graph, {**column.attrs, **attrs}, frozenset("y")))
    assert isinstance(stage, Lanes), f"{name} is more than one stage"
    return Activation(stage.expr, stage.circuit, stage.keeps_scale, clip)
