"""The passes that the options ask for, in an order that can work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memxc import passes
from memxc.compiler import pruning
from memxc.compiler.options import MITIGATIONS, Options
from memxc.errors import Fault, MemxcError, fail
from memxc.interfaces import GraphPass, Pass

#: Options that stand for passes, and what takes their place among --passes.
_SPELLED_OUT = {
    "prune": "put prune-ckf or prune-lines among the passes",
    "separate": "put separate among the passes",
    "schedule": "write schedule{mode=...}",
    "partition": "write partition{policy=...}",
    "batchnorm": "leave out fold-batchnorm for a circuit of its own",
    "mitigate": f"put {', '.join(MITIGATIONS)} among the passes",
}


def asked(options: Options) -> list[Pass]:
    """The passes asked for, in an order that can work."""
    if options.refit and not options.prune:
        hint = "add --prune; in --passes it is prune-ckf{rest=refitted}"
        raise fail("usage", "--refit", "there is nothing pruned to fit the rest of", hint)
    if options.passes is None:
        return _default(options)
    pipeline = passes.parse(options.passes)
    names = [change.name for change in pipeline]
    kinds = [isinstance(change, GraphPass) for change in pipeline]
    where, faults = f"--passes {options.passes}", []
    if kinds != sorted(kinds, reverse=True):
        faults.append(Fault("usage", where, "passes over the graph come before all others"))
    for name in ("calibrate", "program"):
        if names.count(name) != 1:
            faults.append(Fault("usage", where, f"a circuit needs {name} exactly once"))
    if not faults and names.index("program") < names.index("calibrate"):
        faults.append(Fault("usage", where, "program comes after calibrate"))
    if not faults:
        faults = [Fault("usage", where, what) for what in _misplaced(pipeline)]
    for name, hint in _SPELLED_OUT.items():
        if getattr(options, name) != getattr(Options, name):
            faults.append(Fault("usage", where, f"leaves no place for --{name}", hint))
    if options.target.converter.needed and "convert" not in names:
        what = f"{options.target.name} has converters, which no pass places"
        faults.append(Fault("usage", where, what, "add convert at the end"))
    if faults:
        raise MemxcError(faults)
    return pipeline


def _misplaced(pipeline: Sequence[Pass]) -> Iterator[str]:
    """What is wrong with the order of passes around program."""
    at = [change.name for change in pipeline].index("program")
    for change in pipeline[:at]:
        if change.programmed:
            yield f"{change.name} comes after program"
    for change in pipeline[at + 1 :]:
        if not change.programmed:
            yield f"{change.name} has no work after program"
    later = pipeline[at].options()["levels"] == "later"
    if later and "compensate" not in [change.name for change in pipeline]:
        yield "program{levels=later} leaves the levels to compensate, which is not there"


def _default(options: Options) -> list[Pass]:
    """The pipeline that the options of the command line stand for."""
    known = passes.available()
    asked = [name for name in MITIGATIONS if name in options.mitigate]
    # Where zeros are no devices, what holds nothing but zeros is not built.
    lean = [known["drop-lines"]()] if options.zeros_are == "absent" else []
    return [
        *_graph_passes(options),
        known["calibrate"](),
        known["schedule"](mode=options.schedule),  # type: ignore[call-arg]
        known["partition"](policy=options.partition),  # type: ignore[call-arg]
        *lean,
        known["tile"](),
        *lean,
        known["program"](levels="later" if "compensate" in asked else "now"),  # type: ignore[call-arg]
        *(known[name]() for name in (*asked, "share")),
        *(known[name]() for name in ("convert",) if options.target.converter.needed),
    ]


def _graph_passes(options: Options) -> Iterator[Pass]:
    """Normalisations folded, kernels separated, then pruned: a fit would fill zeros again."""
    known, prunes = passes.available(), pruning.asked(options.prune, options.refit)
    yield from (change for change in prunes if pruning.before_folding(change))
    if options.batchnorm == "fold":
        yield known["fold-batchnorm"]()
    if options.separate is not None:
        yield known["separate"](ratio=options.separate, partition=options.partition)  # type: ignore[call-arg]
    yield from (change for change in prunes if not pruning.before_folding(change))
    # Parked zeros go onto the circuit as it is, but for lines that were pruned whole.
    if options.zeros_are == "absent" or any(change.name == "prune-lines" for change in prunes):
        yield known["drop-dead-channels"]()
