"""The passes of a compilation, and a check of the order that --passes gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memxc import passes
from memxc.compiler.declaration import fields_of
from memxc.compiler.options import Options, Settings
from memxc.compiler.options import pipeline as default_pipeline
from memxc.errors import Fault, MemxcError, fail
from memxc.interfaces import GraphPass, Pass


def asked(options: Options) -> list[Pass]:
    """The passes that the options ask for.

    Raises MemxcError (usage) if --passes has an order that cannot work, or leaves no place for
    another option.
    """
    if options.refit and not options.prune:
        hint = "add --prune; in --passes it is prune-ckf{rest=refitted}"
        raise fail(
            "usage",
            "--refit",
            "it fits the weights that pruning leaves, but nothing is pruned",
            hint,
        )
    if options.passes is None:
        return default_pipeline(options)
    pipeline = passes.parse(options.passes)
    names = [change.name for change in pipeline]
    kinds = [isinstance(change, GraphPass) for change in pipeline]
    where, faults = f"--passes {options.passes}", []
    if kinds != sorted(kinds, reverse=True):
        faults.append(Fault("usage", where, "passes over the graph have to come before all others"))
    for name in ("calibrate", "program"):
        if names.count(name) != 1:
            faults.append(Fault("usage", where, f"a circuit needs {name} exactly once"))
    if not faults and names.index("program") < names.index("calibrate"):
        faults.append(Fault("usage", where, "program has to come after calibrate"))
    if not faults:
        faults = [Fault("usage", where, what) for what in _misplaced(pipeline)]
    for name, declared in fields_of(Settings).items():
        if declared.option.instead and getattr(options, name) != declared.default:
            what = f"{declared.option.flag} has no effect with --passes"
            faults.append(Fault("usage", where, what, declared.option.instead))
    if options.target.converter.needed and "convert" not in names:
        what = f"the target {options.target.name} has converters, and no pass places them"
        faults.append(Fault("usage", where, what, "add convert at the end"))
    if faults:
        raise MemxcError(faults)
    return pipeline


def _misplaced(pipeline: Sequence[Pass]) -> Iterator[str]:
    """A sentence for each pass that is on the wrong side of program."""
    at = [change.name for change in pipeline].index("program")
    for change in pipeline[:at]:
        if change.programmed:
            yield f"{change.name} has to come after program"
    for change in pipeline[at + 1 :]:
        if not change.programmed:
            yield f"{change.name} has to come before program"
    later = pipeline[at].options()["levels"] == "later"
    if later and "compensate" not in [change.name for change in pipeline]:
        yield "program{levels=later} leaves the levels to compensate, and compensate is missing"
