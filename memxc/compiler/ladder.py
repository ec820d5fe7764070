"""The ladder of oracles: the outputs after each step are compared with the outputs before it.

original model --- lowered --- pass 1 --- pass 2 --- ...
  (onnxruntime)  |           |          |
                rung        rung       rung: the largest distance of the outputs
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.compiler.observers import Observed, PassRun
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, reference, samples
from memxc.evaluation.losses import DIGITS, distance
from memxc.frontend import ModelPart, evaluator
from memxc.interfaces import Context
from memxc.ir.design import Design
from memxc.physics.network.effective import effective
from memxc.physics.network.nodal import WireResistance

#: Each pass is checked on so many samples, and on so many numbers in all if the input is wide; more
#: would only cost time.
_CHECKED, _NUMBERS = 4, 1 << 17
#: How far an exact pass may move the outputs, relative to them; and in a network with islands.
_EXACT, _EXACT_FLOAT32 = 1e-9, 1e-5
#: A lowered network that differs from onnxruntime by more than this, relative to its outputs,
#: computes something else. Rounding to float32 gives 1e-6.
_SAME = 1e-3
#: Digits of that distance, rounded up: the last bits of onnxruntime's float32 sums depend on the
#: processor, and a report must not.
_FLOAT32_DIGITS = 6


@dataclass(frozen=True)
class StepDistance:
    """The distance of two neighbours on the ladder: of the network's outputs, over the samples.

    It is NaN if one of the outputs is NaN.
    """

    start: str
    end: str
    max_abs_error: float
    max_rel_error: float


class Ladder:
    """Compares the outputs after each step with those before it; the original model is first.

    rungs: the distances so far.
    reference: the name of what the first rung compares with, or None if nothing could run the
    model.
    fault: why it is not known whether the lowered network computes what the original computes.
    """

    def __init__(self, model: Path | ModelPart, ctx: Context) -> None:
        self.rungs: list[StepDistance] = []
        self.reference: str | None = None
        self.fault: str | None = None
        self._model, self._wire = model, ctx.target.wire
        self._inputs = samples.few(ctx.samples, _NUMBERS, _CHECKED)
        self._name, self._undefined = "", False
        self._values: Mapping[str, NDArray[Any]] | None = None

    def start(self, design: Design) -> tuple[str, ...]:
        """Compare the lowered network with the original one, and return warnings."""
        warnings = self._run_original()
        rung = self._rung("lowered", design, _FLOAT32_DIGITS, up=True)
        if rung is not None and not rung.max_rel_error <= _SAME:
            self.fault = _far(rung.max_rel_error, rung.start)
            warnings.append(self.fault)
        return tuple(warnings)

    def see(self, step: PassRun) -> Observed:
        """Compare the network after a pass with the network before it.

        Raises AssertionError if an exact pass moves the outputs: that is a fault of memxc. Islands
        compute in float32, and may jump where inputs differ in their last bits, so that it is a
        warning for a network with islands.
        """
        change, compared = step.change, step.after
        if change.wired and not change.exact:
            compared = effective(step.after, WireResistance.of(self._wire))
        rung = self._rung(change.name, compared)
        # calibrate adds limiters and is exact all the same: it chose the volts such that none of
        # them clips on these samples. Outputs that were NaN stay NaN; `start` has warned of that.
        warnings: tuple[str, ...] = ()
        if change.exact and not self._undefined and rung is not None:
            moved = f"the exact pass {change.name} moved the outputs by {rung.max_rel_error:.1e}"
            if not step.after.islands:
                assert rung.max_rel_error < _EXACT, moved
            elif rung.max_rel_error >= _EXACT_FLOAT32:
                warnings = (f"{moved}: an island that rounds, sorts or compares jumps there",)
        if compared is not step.after:
            # The next pass is compared with the design itself, without its wires.
            self._values = evaluate.outputs(step.after, self._inputs)
        return Observed(warnings=warnings)

    def _run_original(self) -> list[str]:
        """Run the original network in onnxruntime, or else in onnx.reference. Return warnings."""
        warnings = []
        model = self._model
        data = model.data if isinstance(model, ModelPart) else model
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
    ) -> StepDistance | None:
        values = evaluate.outputs(design, self._inputs)
        rung = None
        if self._values is not None:
            expected = self._values
            distances = np.array(
                [distance(values[key], expected[key], digits, up) for key in values]
            )
            # numpy's maximum keeps NaN, Python's may lose it.
            rung = StepDistance(self._name, name, *map(float, distances.max(axis=0)))
            self._undefined = any(np.isnan(before).any() for before in self._values.values())
            self.rungs.append(rung)
        self._name, self._values = name, values
        return rung


def _far(error: float, start: str) -> str:
    """Return the warning for a first rung that is too long."""
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
