"""What lossy passes lose on the samples, and what the circuit with its wires is worth."""

from __future__ import annotations

from memxc.compiler.observers import Observed, Step
from memxc.evaluation.losses import Answers, Judge, Loss
from memxc.evaluation.samples import Samples
from memxc.interfaces import Context
from memxc.ir.design import Design
from memxc.physics.network.effective import effective
from memxc.physics.network.nodal import Wires


class Scores:
    """Measures the loss of each lossy pass, from the first one on."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._judge: Judge | None = None
        self._answers: list[Answers] = []
        #: The network before limiters, which clip what goes beyond the calibration samples.
        self._unlimited: Design | None = None
        #: The last circuit whose answers with wires were computed: passes follow each other.
        self._wired: tuple[Design, Answers] | None = None

    def start(self, design: Design) -> tuple[str, ...]:
        """Nothing is lost before the first pass."""
        return ()

    def see(self, step: Step) -> Observed:
        """The loss of a lossy pass; of a pass about wires, the circuit's worth before and after."""
        if step.change.wired:
            return self._worth(step)
        if self._judge is None and not any(bus.scale for bus in step.before.buses.values()):
            self._unlimited = step.before
        return Observed() if step.change.exact else self._lost(step)

    def loss(self) -> Loss | None:
        """What all passes lost together; None where no pass was lossy."""
        if self._judge is None:
            return None
        return self._judge.loss(self._answers[-1], self._answers[0])

    def _lost(self, step: Step) -> Observed:
        """The loss of a pass. What exact passes before it did to rare samples is part of it."""
        warnings: tuple[str, ...] = ()
        if self._judge is None:
            judged = self._ctx.judged or Samples(self._ctx.samples, None)
            self._judge = Judge(judged, step.before)
            self._answers = [self._judge.answers(self._unlimited or step.before)]
            self._unlimited = None
            warnings = tuple(filter(None, [self._judge.misfit]))
        self._answers.append(self._judge.answers(step.after))
        loss = self._judge.loss(self._answers[-1], self._answers[-2])
        return Observed(loss=loss, warnings=warnings)

    def _worth(self, step: Step) -> Observed:
        """What the circuit with its wires is worth before and after a pass that is about them."""
        if self._judge is None:
            return Observed()
        before, after = (
            self._with_wires(design, self._judge) for design in (step.before, step.after)
        )
        first = self._answers[0]
        if not step.change.exact:
            self._answers.append(after)
        return Observed(self._judge.worth(before, first), self._judge.worth(after, first))

    def _with_wires(self, design: Design, judge: Judge) -> Answers:
        """What the circuit answers with the wires of the target."""
        if self._wired is None or self._wired[0] is not design:
            wired = effective(design, Wires.of(self._ctx.target.wire))
            self._wired = design, judge.answers(wired)
        return self._wired[1]
