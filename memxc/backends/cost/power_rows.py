"""The figures of the report in watts and joules."""

from __future__ import annotations

from pydantic import Field

from memxc.backends.cost.latency_rows import Latency
from memxc.documents import Amount, Count, Number, OfStage, Part


class Power(Part):
    """Watts. `+` adds them, and keeps the larger `neuron_max_w`."""

    total_w: Amount = Field(
        description="Watts from the supplies. Of one stage, and of a target that does not give "
        "`amplifier.supply_v`: `crossbar_w` and `amplifier_w` together."
    )
    crossbar_w: Amount = Field(
        description="Watts of all placed devices: the sum of V^2 G, as the mean over the samples. "
        "`power.assumptions` says what is not included."
    )
    amplifier_w: Amount = Field(
        description="Static watts of all op-amps, `target.amplifier.power_w` for each."
    )
    neuron_max_w: Amount = Field(
        description="Watts of the memristors of the worst bit line (or pair of bit lines), with "
        "every word line at the largest voltage that can occur on it."
    )

    @classmethod
    def of(
        cls, crossbar_w: float = 0.0, amplifier_w: float = 0.0, neuron_max_w: float = 0.0
    ) -> Power:
        """The power with these parts and their total."""
        return Power(
            total_w=crossbar_w + amplifier_w,
            crossbar_w=crossbar_w,
            amplifier_w=amplifier_w,
            neuron_max_w=neuron_max_w,
        )

    def __add__(self, other: Power) -> Power:
        return Power.of(
            self.crossbar_w + other.crossbar_w,
            self.amplifier_w + other.amplifier_w,
            max(self.neuron_max_w, other.neuron_max_w),
        )


class StagePower(Power, OfStage):
    """The watts of one stage."""

    @classmethod
    def on(cls, stage: str, power: Power) -> StagePower:
        """The watts of the stage of that name."""
        return cls.model_validate({"stage": stage, **dict(power)})


class SuppliedWatts(Part):
    """Watts from the supplies: rails of the amplifiers, input drivers and bias lines."""

    amplifiers_static_w: Amount = Field(
        description="Watts of all op-amps without load: `target.amplifier.power_w` for each."
    )
    amplifiers_load_w: Number | None = Field(
        description="Watts that the rails deliver because of the currents of the op-amps' outputs, "
        "below 0 where they save current in op-amps of class A; null if the target does not give "
        "`amplifier.supply_v`."
    )
    inputs_w: Amount = Field(description="Watts that the drivers of the inputs deliver.")
    bias_w: Amount = Field(description="Watts that the bias lines deliver.")
    total_w: Amount | None = Field(description="The sum; null if a term is.")


class Dissipation(Part):
    """Watts that become heat, by the part in which they do."""

    memristors_w: Amount = Field(description="Watts in memristors.")
    resistors_w: Amount = Field(description="Watts in resistors in place of weights.")
    feedback_w: Amount = Field(description="Watts in the feedback resistors of op-amps 2.")
    joining_w: Amount = Field(
        description="Watts in the feedback resistors of op-amps 1 and in the joining resistors."
    )
    inverters_w: Amount = Field(description="Watts in the resistors of inverters.")
    amplifiers_w: Amount | None = Field(
        description="Watts in the op-amps: what they draw less what their outputs deliver; null if "
        "the target does not give `amplifier.supply_v`."
    )
    total_w: Amount | None = Field(description="The sum; null if a term is.")


class Ledger(Part):
    """Watts from the supplies and watts of heat. Both are computed by themselves, and agree."""

    samples: Count = Field(description="Number of samples that the means are over.")
    supply: SuppliedWatts = Field(description="Where the watts come from.")
    dissipation: Dissipation = Field(description="Where the watts become heat.")


class Consumption(Power):
    """The watts of a network, and the energy of an inference."""

    energy_per_inference_j: Amount = Field(
        description="Joules for an inference: `total_w` times `latency.clocked_s`, or times the "
        "assumed `latency.inference_s` if that is null."
    )

    @classmethod
    def over(cls, power: Power, sides: Ledger | None, time: Latency) -> Consumption:
        """The watts of a network, for as long as an inference takes."""
        inference_s = time.inference_s if time.clocked_s is None else time.clocked_s
        known = None if sides is None else sides.supply.total_w
        whole = power.total_w if known is None else known
        energy = {"energy_per_inference_j": whole * inference_s}
        return cls.model_validate({**dict(power), "total_w": whole, **energy})
