"""The passes of a compilation, and a check of the order that --passes gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memxc import passes
from memxc.compiler.declaration import fields_of
from memxc.compiler.options import Options, Settings
from memxc.compiler.options import pipeline as default_pipeline
from memxc.errors import Fault, MemxcError
from memxc.interfaces import GraphPass, Pass


def asked(options: Options) -> list[Pass]:
    """The passes that the options ask for.

    Raises MemxcError (usage) with all faults: --refit without --prune, or --passes in an order that
    cannot work or that leaves no place for another option.
    """
    faults = []
    if options.refit and not options.prune:
        what = "it fits the weights that pruning leaves, but nothing is pruned"
        hint = "add --prune; in --passes it is prune-ckf{rest=refitted}"
        faults.append(Fault("usage", "--refit", what, hint))
    try:
        if options.passes is None:
            pipeline = default_pipeline(options)
        else:
            pipeline = passes.parse(options.passes)
            faults += _faults(options, f"--passes {options.passes}", pipeline)
    except MemxcError as error:
        faults += error.faults
    if faults:
        raise MemxcError(faults)
    return pipeline


def _faults(options: Options, where: str, pipeline: Sequence[Pass]) -> list[Fault]:
    """What cannot work in a pipeline that --passes gives."""
    names = [change.name for change in pipeline]
    kinds = [isinstance(change, GraphPass) for change in pipeline]
    faults = []
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
    return faults


def _misplaced(pipeline: Sequence[Pass]) -> Iterator[str]:
    """A sentence for each pass that is on the wrong side of program or calibrate."""
    names = [change.name for change in pipeline]
    at = names.index("program")
    if "amplify" in names[: names.index("calibrate")]:
        yield "amplify has to come after calibrate"
    for change in pipeline[:at]:
        if change.programmed:
            yield f"{change.name} has to come after program"
    for change in pipeline[at + 1 :]:
        if not change.programmed:
            yield f"{change.name} has to come before program"
    later = pipeline[at].options()["levels"] == "later"
    if later and "compensate" not in names:
        yield "program{levels=later} leaves the levels to compensate, and compensate is missing"
