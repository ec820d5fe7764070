"""What the user asks a compilation for, and the passes that this stands for.

An option is declared once: at the field of its pass, or here where it belongs to no single pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    InstanceOf,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass

from memxc import passes, units
from memxc.compiler import forms, pruning, stage_set
from memxc.compiler.declaration import faults, fields_of, of, own
from memxc.errors import Fault, MemxcError, like
from memxc.interfaces import Pass, Zeros
from memxc.ir.stages import Schedule, Signed
from memxc.mapping.layout import Policy
from memxc.netlist_reader import Cells, read_cells
from memxc.passes.calibrate import Calibrate
from memxc.passes.convert import Convert
from memxc.passes.drop_dead import DropDeadChannels
from memxc.passes.drop_lines import DropLines
from memxc.passes.fold_batchnorm import FoldBatchnorm
from memxc.passes.partition import Partition
from memxc.passes.program import Program
from memxc.passes.prune_lines import PruneLines
from memxc.passes.schedule import Schedule as SchedulePass
from memxc.passes.separate import Separate
from memxc.passes.share import Share
from memxc.passes.tile import Tile
from memxc.target import Target

#: Passes against wire resistance, in the order that each knows what it has to know of the others.
Mitigation = Literal["both-ends", "reorder", "compensate"]
MITIGATIONS: tuple[Mitigation, ...] = get_args(Mitigation)


def _rising(span: tuple[float, float]) -> tuple[float, float]:
    if not span[0] < span[1]:
        raise ValueError("the first number has to be the smaller one")
    if max(map(abs, span)) > units.FLOAT32:
        raise ValueError(f"an input is float32, which ends at {units.FLOAT32:.4g}")
    return span


def _share(ratio: float) -> float:
    return Separate(ratio=ratio).ratio


_Cells = Annotated[InstanceOf[Cells], BeforeValidator(read_cells)]
_Size = Annotated[int, Field(gt=0, le=2**31)]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options that the report and the manifest of a folder keep; each has a default."""

    schedule: Schedule = of(SchedulePass, "mode")
    partition: Policy = of(Partition, "policy")
    signed: Signed = own("differential", "--signed", "How a negative weight is built.")
    batchnorm: Literal["fold", "stage"] = own(
        "fold",
        "--batchnorm",
        "BatchNormalization in the weights, or as a circuit of its own.",
        instead=f"leave out {FoldBatchnorm.name} for a circuit of its own",
    )
    mitigate: tuple[Mitigation, ...] = own(
        (),
        "--mitigate",
        "Against the resistance of wires: both-ends drives word lines at both ends, "
        "reorder puts much current near amplifiers and drivers, compensate corrects "
        "conductances. Verify such a design with --wire.",
        metavar="NAME,...",
        read=forms.words,
        example="--mitigate both-ends,compensate",
        page="mitigations.md",
        instead=f"put {', '.join(MITIGATIONS)} among the passes",
    )
    separate: Annotated[float, AfterValidator(_share)] | None = of(Separate, "ratio", None)
    prune: tuple[str, ...] = own(
        (),
        "--prune",
        "Weights, lines or crossbars of little effect go: ckf:0.5, ckf-loss:0.01, "
        "crossbar:0.3, word-line:0.2, bit-line:0.2 ...; again for others, in this order.",
        metavar="METHOD:AMOUNT",
        read=pruning.checked,
        example="--prune ckf:0.5",
        repeated=True,
        page="pruning.md",
        instead="put prune-ckf or prune-lines among the passes",
    )
    refit: bool = own(
        False,
        "--refit",
        "What --prune leaves is fitted to answer on the samples as the whole network did.",
        page="pruning.md",
    )
    zeros: Zeros | None = own(
        None,
        "--zeros",
        "A weight of exactly zero is no device, or a pair at g_min.",
        default="absent with --prune, else parked",
        page="pruning.md",
    )
    passes: str | None = own(
        None,
        "--passes",
        "The exact pipeline, from the parts that memxc passes lists.",
        metavar='"a{x=1},b"',
    )
    shapes: Mapping[str, tuple[_Size, ...]] = own(
        dict,
        "--shape",
        "The shape of an input whose size the model leaves open; again for others.",
        metavar="NAME=1x3x48x192",
        read=forms.shape,
        separator="x",
        example="--shape input=1x3x48x192",
        repeated=True,
        of_network=True,
    )
    fix: Mapping[str, tuple[FiniteFloat, ...]] = own(
        dict,
        "--fix",
        "An input of the model becomes a constant: a number, or all numbers of a small "
        "tensor; again for others.",
        metavar="NAME=VALUE,...",
        read=forms.constant,
        example="--fix threshold=0.5",
        repeated=True,
        of_network=True,
    )
    inputs: tuple[str, ...] = own(
        (),
        "--inputs",
        "Compile a part of the network, from these tensors on.",
        metavar="NAME,...",
        read=forms.words,
        example="--inputs features",
        of_network=True,
    )
    outputs: tuple[str, ...] = own(
        (),
        "--outputs",
        "Compile a part of the network, up to these tensors.",
        metavar="NAME,...",
        read=forms.words,
        example="--outputs features,scores",
        of_network=True,
    )
    input_range: Annotated[tuple[float, float], AfterValidator(_rising)] = own(
        (0.0, 1.0),
        "--input-range",
        "The range of the inputs when there are no samples; an input of 8 bits or fewer "
        "takes all its codes.",
        metavar="LO,HI",
        read=forms.span,
        example="--input-range -1,1",
        default="0,1",
    )
    stage_set: tuple[str, ...] = own(
        (),
        "--stage-set",
        f"One stage otherwise than the rest: {', '.join(stage_set.keys())}; again for others.",
        metavar="STAGE.KEY=VALUE",
        read=stage_set.checked,
        example="--stage-set conv1.schedule=sequential",
        repeated=True,
    )
    seed: Annotated[int, Field(ge=0)] = own(
        0,
        "--seed",
        "Of the random inputs when there are no samples.",
        metavar="N",
        example="--seed 1",
    )

    @property
    def zeros_are(self) -> Zeros:
        """Where nothing was said, pruning builds no device for a zero."""
        return self.zeros or ("absent" if self.prune else "parked")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Options(Settings):
    """All that a compilation is asked for. `target` has any --tile applied.

    Raises MemxcError (usage) with every value that an option cannot have.
    """

    model: Path
    target: Target
    samples: Path | None = own(
        None,
        "--samples",
        "Inputs for calibration: arrays by input name (or x for a single one), first axis "
        "samples; labels y. With --refit or --separate half of them is fitted to, and "
        "losses are measured on the others.",
        default="MODEL.samples.npz",
    )

    cells: _Cells | None = own(
        None,
        "--cells",
        "Cells of your own, from the .cir files of a folder, in place of memxc's.",
        metavar="DIR",
        page="netlist.md",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, given: Any, handler: ModelWrapValidatorHandler[Options]) -> Options:
        try:
            return handler(given)
        except ValidationError as error:
            known = fields_of(cls)
            raise MemxcError(
                Fault("usage", known[name].option.flag, what)
                if name in known
                else Fault("usage", name, what, like(name, known))
                for name, what in faults(error)
            ) from error


def pipeline(options: Options) -> list[Pass]:
    """The passes that the options stand for, without --passes."""
    asked = [name for name in MITIGATIONS if name in options.mitigate]
    # Where zeros are no devices, what holds nothing but zeros is not built.
    lean = [DropLines()] if options.zeros_are == "absent" else []
    return [
        *_graph_passes(options),
        Calibrate(),
        SchedulePass(mode=options.schedule),
        Partition(policy=options.partition),
        *lean,
        Tile(),
        *lean,
        Program(levels="later" if "compensate" in asked else "now"),
        *(passes.available()[name]() for name in asked),
        Share(),
        *([Convert()] if options.target.converter.needed else []),
    ]


def _graph_passes(options: Options) -> Iterator[Pass]:
    """Normalisations folded, kernels separated, then pruned: a fit would fill zeros again."""
    prunes = pruning.asked(options.prune, options.refit)
    yield from (change for change in prunes if pruning.before_folding(change))
    if options.batchnorm == "fold":
        yield FoldBatchnorm()
    if options.separate is not None:
        yield Separate(ratio=options.separate, partition=options.partition)
    yield from (change for change in prunes if not pruning.before_folding(change))
    # Parked zeros go onto the circuit as it is, but for lines that were pruned whole.
    if options.zeros_are == "absent" or any(isinstance(change, PruneLines) for change in prunes):
        yield DropDeadChannels()
