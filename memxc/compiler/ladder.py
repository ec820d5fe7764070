"""The ladder of oracles: the outputs after each pass are compared with those before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.compiler.observers import Observed, Step
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, reference, samples
from memxc.evaluation.losses import DIGITS, distance
from memxc.frontend import Part, evaluator
from memxc.interfaces import Context
from memxc.ir.design import Design
from memxc.physics.network.effective import effective
from memxc.physics.network.nodal import Wires

#: Samples on which every pass is checked, and numbers in all of a network with a wide input; more
#: would only cost time.
_CHECKED, _NUMBERS = 4, 1 << 17
#: A lowered network further than this from onnxruntime, relative to its outputs, computes another
#: thing; float32 alone gives 1e-6.
_SAME = 1e-3
#: Decimals of that distance, rounded up: onnxruntime's sums in float32 are the processor's, too.
_FLOAT32_DIGITS = 6


@dataclass(frozen=True)
class Rung:
    """The distance of two neighbours on the ladder of oracles, on the network's outputs.

    NaN where one of them gives NaN.
    """

    start: str
    end: str
    max_abs_error: float
    max_rel_error: float


class Ladder:
    """Compares the outputs after each step with those before it, the first with the original model.

    rungs: the distances. reference: what the first rung compares with, None for nothing. fault: why
    the lowered network is not known to compute what the original does.
    """

    def __init__(self, model: Path | Part, ctx: Context) -> None:
        self.rungs: list[Rung] = []
        self.reference: str | None = None
        self.fault: str | None = None
        self._model, self._wire = model, ctx.target.wire
        self._inputs = samples.few(ctx.samples, _NUMBERS, _CHECKED)
        self._name, self._undefined = "", False
        self._values: Mapping[str, NDArray[Any]] | None = None

    def start(self, design: Design) -> tuple[str, ...]:
        """Compare the lowered network with the original one."""
        warnings = self._run_original()
        rung = self._rung("lowered", design, _FLOAT32_DIGITS, up=True)
        if rung is not None and not rung.max_rel_error <= _SAME:
            self.fault = _far(rung.max_rel_error, rung.start)
            warnings.append(self.fault)
        return tuple(warnings)

    def see(self, step: Step) -> Observed:
        """Compare the network after a pass with the network before it.

        An exact pass that moves the outputs is a fault of memxc's own: AssertionError.
        """
        change, compared = step.change, step.after
        if change.wired and not change.exact:
            compared = effective(step.after, Wires.of(self._wire))
        rung = self._rung(change.name, compared)
        # No limiter acts on the samples that calibrate scaled by, so it is exact on them, too.
        # Outputs that were NaN before stay NaN, as `start` has said.
        if change.exact and not self._undefined:
            assert rung is None or rung.max_rel_error < 1e-9, (
                f"the exact pass {change.name} moved the outputs by {rung.max_rel_error:.1e}"
            )
        if compared is not step.after:
            # The next pass is compared with the conductances by themselves.
            self._values = evaluate.outputs(step.after, self._inputs)
        return Observed()

    def _run_original(self) -> list[str]:
        """Run the original network in onnxruntime, or else in onnx.reference; return warnings."""
        warnings = []
        model = self._model
        data = model.data if isinstance(model, Part) else model
        for name, run in (
            ("onnxruntime", partial(reference.run, data)),
            ("onnx.reference", partial(evaluator.run, model)),
        ):
            try:
                self._values = run(self._inputs)
            except MemxcError as error:
                warnings.append(error.faults[0].what)
            else:
                self._name = self.reference = name
                break
        if self.reference is None:
            self.fault = "nothing answers for the original network, so nobody knows what is right"
            warnings.append(self.fault)
        elif warnings:
            warnings.append(f"the network is compared with {self.reference} instead")
        return warnings

    def _rung(
        self, name: str, design: Design, digits: int = DIGITS, up: bool = False
    ) -> Rung | None:
        values = evaluate.outputs(design, self._inputs)
        rung = None
        if self._values is not None:
            known = self._values
            apart = np.array([distance(values[key], known[key], digits, up) for key in values])
            # numpy's maximum keeps what is no number, Python's loses it.
            rung = Rung(self._name, name, *map(float, apart.max(axis=0)))
            self._undefined = any(np.isnan(before).any() for before in self._values.values())
            self.rungs.append(rung)
        self._name, self._values = name, values
        return rung


def _far(error: float, start: str) -> str:
    """What the user is told where the first rung is too long."""
    if not math.isfinite(error):
        return (
            "outputs are NaN or infinite on the samples, so the circuit cannot be compared with "
            "the network: give --samples for which the network gives numbers"
        )
    return (
        f"before any device is in it the circuit is {error:.1e} of the largest output away from "
        f"{start}: do not use it. Where the network rounds or compares, samples on an edge may "
        "go either way: give other --samples; otherwise it is a fault of memxc, please report it "
        "with the model"
    )
