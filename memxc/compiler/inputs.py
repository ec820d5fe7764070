"""The samples of a compilation, and the context of its passes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from memxc.compiler.declaration import fields_of
from memxc.compiler.options import Options
from memxc.compiler.stage_set import by_stage
from memxc.evaluation import losses, samples
from memxc.frontend import ModelPart, choose_part
from memxc.interfaces import Context
from memxc.ir.graph import Graph

#: Random samples: how many numbers they have in all, and how many they are at most and at least.
_NUMBERS, _MOST, _LEAST = 1 << 19, 16, 2


def chosen_model(options: Options) -> tuple[Path | ModelPart, Mapping[str, tuple[int, ...]]]:
    """Return the part of the network that the options ask for, and the shapes of its inputs.

    These are the arguments of `load`.
    """
    known = fields_of(Options).items()
    asked = {name: getattr(options, name) for name, field in known if field.option.of_network}
    return choose_part(options.model, **asked)


def read_samples(options: Options, graph: Graph) -> tuple[samples.Samples, tuple[str, ...]]:
    """Return the user's samples, or random ones if there are none, and warnings about them."""
    shapes = {name: graph.shapes[name] for name in graph.inputs}
    path = _samples_file(options)
    if path is not None:
        given = samples.read(path, shapes, losses.MOST, graph.kinds)
        return given, given.warnings
    drawn = samples.seeded(shapes, *options.input_range, options.seed, _MOST, graph.kinds)
    random = samples.Samples(samples.few(drawn.inputs, _NUMBERS, _MOST, _LEAST), None)
    ranges = (samples.extent(graph.kinds.get(name, ""), *options.input_range) for name in shapes)
    words = " or ".join(dict.fromkeys(f"between {low:g} and {high:g}" for low, high in ranges))
    warning = (
        f"no samples: calibrated on random inputs {words} with a margin of 2; "
        "give real ones with --samples"
    )
    return random, (warning,)


def _samples_file(options: Options) -> Path | None:
    """Return the samples that the user named, or the file beside the model, or None.

    The file beside the model is for the inputs of the model, and not for tensors inside the
    network.
    """
    beside = options.model.with_suffix(".samples.npz")
    return options.samples or (beside if beside.is_file() and not options.inputs else None)


def context(options: Options, given: samples.Samples, fits: bool) -> Context:
    """Return what passes may look at: the target, the first samples, the options of the layout.

    fits: whether a pass fits weights to samples. Then weights are fitted to one half of the
    samples, and losses are measured on the other half.
    """
    fitted, judged = given.halves() if fits else (None, given)
    return Context(
        target=options.target,
        samples={name: values[: samples.MOST] for name, values in given.inputs.items()},
        assumed_inputs=_samples_file(options) is None,
        stage_set=by_stage(options.stage_set),
        signed=options.signed,
        zeros=options.zeros_are,
        judged=judged,
        fitted=fitted,
    )
