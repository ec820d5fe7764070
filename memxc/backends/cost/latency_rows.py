"""The rows of a report about time, as in `rows`."""

from __future__ import annotations

from pydantic import Field

from memxc.documents import Amount, Count, OfStage, Part


class Latency(Part):
    """The critical path: the longest way from an input to an output.

    Renaming, limiters and what stays digital take no time.
    """

    critical_path_stages: Count = Field(
        description="Stages on the critical path: crossbars, resistor networks and circuits of "
        "lanes."
    )
    periods: Count = Field(
        description="Calculation periods on the critical path. A sequential stage takes one for "
        "each place, any other stage one."
    )
    stage_time_s: Amount = Field(
        description="Seconds that a period is assumed to take: `target.crossbar.stage_time_s`. No "
        "amplifier was looked at."
    )
    inference_s: Amount = Field(
        description="Assumed seconds for an inference: `periods` times `stage_time_s`."
    )
    clocked_s: Amount | None = Field(
        description="Seconds for an inference with a clock that waits until each stage has settled "
        "to 0.1 %: the sum over the path that takes longest, of periods times the settling time of "
        "the stage's slowest lane, times `target.crossbar.guard`. It does not include the parts in "
        "`missing`; null if `missing` has a key of the target, or a lane that never settles."
    )
    free_running_s: Amount | None = Field(
        description="Seconds for an inference without a clock: the settling time of the same path "
        "as one linear circuit of the slowest lanes, times `target.crossbar.guard`. null as "
        "`clocked_s`, and with a sequential stage on the path, which needs a clock."
    )
    median_stage_s: Amount | None = Field(
        description="Median over the stages of crossbars and fixed resistors of their settling "
        "times, with `target.crossbar.guard`."
    )
    missing: tuple[str, ...] = Field(
        description="What `clocked_s` and `free_running_s` lack: keys that the target does not "
        "give, and parts of the circuit whose time is not modelled."
    )


class StageSettling(OfStage):
    """How a stage settles. Stages without op-amps have no row."""

    settling_s: Amount | None = Field(
        description="Seconds until the slowest lane stays within 0.1 % of its final value, times "
        "`target.crossbar.guard`; null if a lane never settles."
    )
    overshoot: Amount | None = Field(
        description="The largest overshoot of its lanes, relative to the final value; null if a "
        "lane never settles."
    )
    noise_gain: Amount = Field(description="The largest noise gain of its op-amps, at DC.")
    unstable_lanes: Count = Field(
        description="Lanes that never settle. Lanes with equal parts and loads count once."
    )
    critical: bool = Field(description="Whether the stage is on the path of `latency.clocked_s`.")
