"""What lossy passes lose on the samples, and how well the circuit with its wires answers."""

from __future__ import annotations

from memxc.compiler.observers import Observed, PassRun
from memxc.evaluation.losses import Answers, Judge, Loss
from memxc.evaluation.samples import Samples
from memxc.interfaces import Context
from memxc.ir.design import Design
from memxc.physics.network.effective import effective
from memxc.physics.network.nodal import WireResistance


class Scores:
    """Measures the loss of each lossy pass, from the first one on.

    `answers` are the outputs on the samples on which losses are judged. The first ones are those
    before the first lossy pass: what the network lost in all is measured from there.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._judge: Judge | None = None
        self._answers: list[Answers] = []
        #: The last network without limiters. Limiters clip signals that go beyond the calibration
        #: samples, and what they take away is a loss, too.
        self._unlimited: Design | None = None
        #: The last circuit and its answers with wires: the next pass begins with the same circuit.
        self._wired: tuple[Design, Answers] | None = None

    def start(self, design: Design) -> tuple[str, ...]:
        """Do nothing: nothing is lost before the first pass."""
        return ()

    def see(self, step: PassRun) -> Observed:
        """Measure the loss of a lossy pass.

        For a pass about wires, measure instead how well the circuit with its wires answers before
        and after it.
        """
        if step.change.wired:
            return self._worth(step)
        if self._judge is None and not any(bus.scale for bus in step.before.buses.values()):
            self._unlimited = step.before
        return Observed() if step.change.exact else self._lost(step)

    def loss(self) -> Loss | None:
        """Return what all passes lost together, or None if no pass was lossy."""
        if self._judge is None:
            return None
        return self._judge.loss(self._answers[-1], self._answers[0])

    def _lost(self, step: PassRun) -> Observed:
        """Return the loss of a pass.

        For the first lossy pass, it includes what exact passes before it (limiters) did to rare
        samples.
        """
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

    def _worth(self, step: PassRun) -> Observed:
        """Return how well the circuit with its wires answers, before and after such a pass."""
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
        """Return the answers of the circuit with the wires of the target."""
        if self._wired is None or self._wired[0] is not design:
            wired = effective(design, WireResistance.of(self._ctx.target.wire))
            self._wired = design, judge.answers(wired)
        return self._wired[1]
