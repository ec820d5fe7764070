"""The options of a compilation, and the pipeline of passes that follows from them.

An option is declared once: at the field of its pass, or here if it belongs to no single pass.
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

from memxc import passes
from memxc.compiler import forms, pruning, stage_set
from memxc.compiler.declaration import fields_of, in_tuples, of_pass, own, wrong_values
from memxc.errors import Fault, MemxcError, like
from memxc.interfaces import Pass, Zeros
from memxc.ir.stages import Schedule, Signed
from memxc.mapping.layout import Policy
from memxc.netlist_reader import Cells, read_cells
from memxc.passes.amplify import Amplify
from memxc.passes.calibrate import Calibrate
from memxc.passes.clip_weights import ClipWeights
from memxc.passes.convert import Convert
from memxc.passes.drop_dead import DropDeadChannels
from memxc.passes.drop_lines import DropLines
from memxc.passes.fold_batchnorm import FoldBatchnorm
from memxc.passes.fuse_lanes import FuseLanes
from memxc.passes.move_constants import MoveConstants
from memxc.passes.partition import Partition
from memxc.passes.program import Program
from memxc.passes.prune_lines import PruneLines
from memxc.passes.schedule import Schedule as SchedulePass
from memxc.passes.separate import Separate
from memxc.passes.share import Share
from memxc.passes.tile import Tile
from memxc.target import Target

#: Passes against wire resistance, in the order in which they run: each needs the results of those
#: before it.
Mitigation = Literal["both-ends", "reorder", "compensate"]
MITIGATIONS: tuple[Mitigation, ...] = get_args(Mitigation)

_Cells = Annotated[InstanceOf[Cells], BeforeValidator(read_cells)]
# A pass raises ValueError for a number that it cannot have.
_Ratio = Annotated[float, AfterValidator(lambda ratio: Separate(ratio=ratio).ratio)]
_Share = Annotated[float, AfterValidator(lambda share: ClipWeights(share=share).share)]
# "none" stands for no names.
_Names = Annotated[
    tuple[str, ...], AfterValidator(lambda names: () if names == ("none",) else names)
]
_Size = Annotated[int, Field(gt=0, le=2**31)]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options that the report and the manifest of a folder keep; each has a default."""

    schedule: Schedule = of_pass(SchedulePass, "mode")
    partition: Policy = of_pass(Partition, "policy")
    signed: Signed = own(
        "differential",
        "--signed",
        "Build a negative weight from a pair of devices, or from one device at an inverted input.",
    )
    batchnorm: Literal["fold", "stage"] = own(
        "fold",
        "--batchnorm",
        "Fold BatchNormalization into the weights, or build a stage of its own for it.",
        instead=f"leave out {FoldBatchnorm.name} to build a stage of its own",
    )
    mitigate: tuple[Mitigation, ...] = own(
        (),
        "--mitigate",
        "Reduce the effect of wire resistance: both-ends drives word lines at both ends, "
        "reorder moves the largest currents close to amplifiers and drivers, and compensate "
        "corrects conductances. Verify such a design with --wire.",
        metavar="NAME,...",
        read=forms.comma_separated,
        example="--mitigate both-ends,compensate",
        page="mitigations.md",
        instead=f"put {', '.join(MITIGATIONS)} among the passes",
    )
    separate: _Ratio | None = of_pass(Separate, "ratio", None)
    clip_weights: _Share | None = of_pass(ClipWeights, "share", None)
    prune: tuple[str, ...] = own(
        (),
        "--prune",
        "Remove weights, lines or crossbars of little effect, for example ckf:0.5, "
        "ckf-loss:0.01, crossbar:0.3, word-line:0.2 or bit-line:0.2. Repeat the option to prune "
        "several times; the order counts.",
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
        "Fit the weights that --prune leaves, so that the network answers on the samples as it "
        "did before.",
        page="pruning.md",
    )
    zeros: Zeros | None = own(
        None,
        "--zeros",
        "Build no device for a weight of exactly zero (absent), or a pair of devices at g_min "
        "(parked).",
        default="absent with --prune, else parked",
        page="pruning.md",
    )
    passes: str | None = own(
        None,
        "--passes",
        "Run exactly these passes, in this order. The command memxc passes lists them.",
        metavar='"a{x=1},b"',
    )
    shapes: Mapping[str, tuple[_Size, ...]] = own(
        dict,
        "--shape",
        "Set the shape of an input whose size the model leaves open, or whose first axis is no "
        "batch. Repeat the option for other inputs.",
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
        "Replace an input of the model by a constant: one number, or all numbers of a small "
        "tensor. Repeat the option for other inputs.",
        metavar="NAME=VALUE,...",
        read=forms.constant,
        example="--fix threshold=0.5",
        repeated=True,
        of_network=True,
    )
    inputs: tuple[str, ...] = own(
        (),
        "--inputs",
        "Take only the part of the network that begins at these tensors.",
        metavar="NAME,...",
        read=forms.comma_separated,
        example="--inputs features",
        of_network=True,
    )
    outputs: tuple[str, ...] = own(
        (),
        "--outputs",
        "Take only the part of the network that ends at these tensors.",
        metavar="NAME,...",
        read=forms.comma_separated,
        example="--outputs features,scores",
        of_network=True,
    )
    input_range: Annotated[tuple[float, float], AfterValidator(forms.rising)] = own(
        (0.0, 1.0),
        "--input-range",
        "The range of the inputs, used when there are no samples. An input of 8 bits or fewer "
        "uses all its codes.",
        metavar="LO,HI",
        read=forms.span,
        example="--input-range -1,1",
        default="0,1",
    )
    digital: _Names = own(
        (),
        "--digital",
        "Keep parts of the network digital, between converters: auto for every node without a "
        "circuit, or the names of nodes and operators.",
        metavar="none|auto|NAME,...",
        read=forms.comma_separated,
        example="--digital auto",
        default="none",
        page="digital.md",
        of_nodes=True,
    )
    stage_set: tuple[str, ...] = own(
        (),
        "--stage-set",
        f"Set an option of one stage: {', '.join(stage_set.keys())}. Repeat the option for others.",
        metavar="STAGE.KEY=VALUE",
        read=stage_set.checked,
        example="--stage-set conv1.schedule=sequential",
        repeated=True,
    )
    seed: Annotated[int, Field(ge=0)] = own(
        0,
        "--seed",
        "The seed of the random inputs that are used when there are no samples.",
        metavar="N",
        example="--seed 1",
    )

    @property
    def zeros_are(self) -> Zeros:
        """The value of --zeros; if it was not given, a pruned network has no device for a zero."""
        return self.zeros or ("absent" if self.prune else "parked")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Options(Settings):
    """All options of a compilation, with its model and its target (any --tile is applied to it).

    Raises MemxcError (usage) with one fault for each value that an option cannot have.
    """

    model: Path
    target: Target
    samples: Path | None = own(
        None,
        "--samples",
        "Inputs for calibration: an array for each input, by its name (or x for a single "
        "input), with samples along the first axis; labels are called y. --refit and "
        "--separate fit to half of the samples, and losses are measured on the other half.",
        default="MODEL.samples.npz",
    )

    cells: _Cells | None = own(
        None,
        "--cells",
        "Use the cells in the .cir files of this folder in place of memxc's.",
        metavar="DIR",
        page="netlist.md",
    )

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, given: Any, handler: ModelWrapValidatorHandler[Options]) -> Options:
        try:
            return handler(in_tuples(Settings, given))
        except ValidationError as error:
            known = fields_of(cls)
            raise MemxcError(
                Fault("usage", known[name].option.flag, what)
                if name in known
                else Fault("usage", name, what, like(name, known))
                for name, what in wrong_values(error)
            ) from error


def pipeline(options: Options) -> list[Pass]:
    """The passes that follow from the options, if --passes is not given."""
    asked = [name for name in MITIGATIONS if name in options.mitigate]
    # If a zero has no device, a line or a crossbar of zeros only is not built either.
    lean = [DropLines()] if options.zeros_are == "absent" else []
    return [
        *_graph_passes(options),
        FuseLanes(),
        Calibrate(),
        SchedulePass(mode=options.schedule),
        *([] if options.target.amplifier.noise_gain_max is None else [Amplify()]),
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
    """Fold normalisations, separate kernels, then prune.

    Separation comes before pruning, for its fit would fill pruned zeros again.
    """
    prunes = pruning.passes_for(options.prune, options.refit)
    yield from (change for change in prunes if pruning.before_folding(change))
    if options.batchnorm == "fold":
        yield MoveConstants()
        yield FoldBatchnorm()
    if options.clip_weights is not None:
        yield ClipWeights(share=options.clip_weights)
    if options.separate is not None:
        yield Separate(
            ratio=options.separate, partition=options.partition, schedule=options.schedule
        )
    yield from (change for change in prunes if not pruning.before_folding(change))
    # With parked zeros every weight keeps its devices; only lines that were pruned whole go.
    if options.zeros_are == "absent" or any(isinstance(change, PruneLines) for change in prunes):
        yield DropDeadChannels()
