"""The samples of a compilation, and what its passes may look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from memxc.compiler.declaration import fields_of
from memxc.compiler.options import Options
from memxc.compiler.stage_set import by_stage
from memxc.evaluation import losses, samples
from memxc.frontend import Part, choose_part
from memxc.interfaces import Context
from memxc.ir.graph import Graph

#: Numbers that random samples hold in all, and how many samples these are at most and at least.
_NUMBERS, _MOST, _LEAST = 1 << 19, 16, 2


def model(options: Options) -> tuple[Path | Part, Mapping[str, tuple[int, ...]]]:
    """The network that the options ask for, and the shapes of its inputs, as `load` takes them."""
    known = fields_of(Options).items()
    asked = {name: getattr(options, name) for name, field in known if field.option.of_network}
    return choose_part(options.model, **asked)


def read(options: Options, graph: Graph) -> tuple[samples.Samples, tuple[str, ...]]:
    """The samples that are there, or made-up ones, and the warnings about them."""
    shapes = {name: graph.shapes[name] for name in graph.inputs}
    path = _samples_file(options)
    if path is not None:
        found = samples.read(path, shapes, losses.MOST, graph.kinds)
        return found, found.warnings
    drawn = samples.seeded(shapes, *options.input_range, options.seed, _MOST, graph.kinds)
    given = samples.Samples(samples.few(drawn.inputs, _NUMBERS, _MOST, _LEAST), None)
    ranges = (samples.extent(graph.kinds.get(name, ""), *options.input_range) for name in shapes)
    words = " or ".join(dict.fromkeys(f"between {low:g} and {high:g}" for low, high in ranges))
    warning = (
        f"no samples: calibrated on random inputs {words} with a margin of 2; "
        "give real ones with --samples"
    )
    return given, (warning,)


def _samples_file(options: Options) -> Path | None:
    """The samples that were given, else those beside the model; None where there are none.

    Those beside the model are of its own inputs, and not of tensors inside the network.
    """
    beside = options.model.with_suffix(".samples.npz")
    return options.samples or (beside if beside.is_file() and not options.inputs else None)


def context(options: Options, known: samples.Samples, fits: bool) -> Context:
    """What passes may look at: the target, the first samples, the options of the layout.

    fits: whether a pass fits weights to samples. It has half of them, losses the other half.
    """
    fitted, judged = known.halves() if fits else (None, known)
    return Context(
        target=options.target,
        samples={name: values[: samples.MOST] for name, values in known.inputs.items()},
        assumed_inputs=_samples_file(options) is None,
        stage_set=by_stage(options.stage_set),
        signed=options.signed,
        zeros=options.zeros_are,
        judged=judged,
        fitted=fitted,
    )
