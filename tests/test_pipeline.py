"""Pipelines that the user writes: one that cannot work is refused before any work."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from memxc import target
from memxc.backends.cost import resources
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError

SPELLED_OUT = (
    "move-constants,fold-batchnorm,fuse-lanes,calibrate,schedule,partition,tile,program,share"
)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("tile", "usage", "a circuit needs calibrate exactly once"),
        ("tile", "usage", "a circuit needs program exactly once"),
        ("calibrate,calibrate,program", "usage", "calibrate exactly once"),
        ("program,calibrate", "usage", "program has to come after calibrate"),
        ("calibrate,program,tile", "usage", "tile has to come before program"),
        ("calibrate,fold-batchnorm,program", "usage", "over the graph have to come before"),
        ("calibrate,program,schedule{mode=turns}", "usage", "has to be 'parallel' or 'sequential'"),
        ("calibrate{margin=x},program", "usage", "margin = 'x': is not a number"),
        ("calibrate,compensate{iterations=1.5}", "usage", "'1.5': is not a whole number"),
        ("calibrate{margin=2,margin=3},program", "usage", "margin is given twice"),
        ("calibrate{margn=3},program", "usage", "no option 'margn'"),
        ("calibrat,program", "usage", "no pass 'calibrat'"),
        ("calibrate,program", "does-not-fit", "unit crossbar has 5 x 4"),
    ],
)
def test_a_pipeline_that_cannot_work(model, text, code, words):
    chosen = target.load("ideal").with_tile(5, 4)
    with pytest.raises(MemxcError) as caught:
        compile_model(Options(model, chosen, passes=text))
    assert any(fault.code == code and words in fault.what for fault in caught.value.faults)


@pytest.mark.parametrize(
    "given",
    [
        {"schedule": "sequential"},
        {"partition": "none"},
        {"batchnorm": "stage"},
        {"mitigate": ("compensate",)},
        {"separate": 0.5},
        {"prune": ("ckf:0.5",)},
    ],
)
def test_an_option_that_stands_for_a_pass_has_no_place_beside_passes(model, given):
    """Ignoring it would build another circuit than the report says."""
    (name,) = given
    with pytest.raises(MemxcError) as caught:
        compile_model(Options(model, target.load("ideal"), passes=SPELLED_OUT, **given))
    assert [fault.what for fault in caught.value.faults] == [
        f"--{name} has no effect with --passes"
    ]


def test_faults_of_the_pipeline_are_told_together_and_before_the_model_is_read(tmp_path):
    asked = Options(tmp_path / "no.onnx", target.load("ideal"), passes="tile", refit=True)
    with pytest.raises(MemxcError) as caught:
        compile_model(asked)
    assert [fault.where for fault in caught.value.faults] == ["--refit", *["--passes tile"] * 2]


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"prune": ("ckf:0.1", "crossbar:0.3")}, "--prune crossbar:0.3"),
        ({"passes": f"prune-lines{{share=0.3}},{SPELLED_OUT}"}, "prune-lines"),
    ],
)
def test_a_fault_of_pruning_has_the_name_that_the_user_wrote(model, options, where):
    with pytest.raises(MemxcError, match="no depthwise convolution") as caught:
        compile_model(Options(model, target.load("ideal"), **options))
    assert [fault.where for fault in caught.value.faults] == [where]


def test_converters_that_no_pass_places(model):
    chosen = target.load("ideal").with_set("converter.adc_bits=8")
    with pytest.raises(MemxcError, match="has converters, and no pass places them"):
        compile_model(Options(model, chosen, passes=SPELLED_OUT))
    compiled = compile_model(Options(model, chosen, passes=f"{SPELLED_OUT},convert"))
    assert "convert" in [record.name for record in compiled.records]


def test_the_default_pipeline_spelled_out(model):
    chosen = target.load("ideal").with_tile(24, 10)
    spelled, default = (
        compile_model(Options(model, chosen, passes=text)) for text in (SPELLED_OUT, None)
    )
    assert str(spelled.design) == str(default.design)
    assert spelled.records == default.records
    assert [rung.end for rung in default.rungs][:3] == [
        "lowered",
        "move-constants",
        "fold-batchnorm",
    ]


def layout(array):
    """What --stage-set may change: the schedule, and lines and places of the crossbars."""
    crossbars = [(c.word_lines, c.bit_lines, c.places) for c in array.crossbars]
    return array.schedule, crossbars


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # 2 * 3 * 2 inputs and a bias, 3 pairs of bit lines, 4 * 4 places that otherwise are one.
        ("conv.partition=none", ("parallel", [(13, 6, 16)])),
        ("conv.schedule=sequential", ("sequential", [(13, 6, 16)])),
        # 3 inputs and a bias, cut in two.
        ("dense.tile=3x8", ("parallel", [(3, 8, 1), (1, 8, 1)])),
    ],
)
def test_an_option_of_one_stage_changes_only_this_stage(model, text, wanted):
    chosen = target.load("ideal")
    name = text.partition(".")[0]
    plain, other = (
        {
            a.name: layout(a)
            for a in compile_model(Options(model, chosen, stage_set=t)).design.arrays
        }
        for t in ((), (text,))
    )
    assert plain[name] != wanted
    assert other == {**plain, name: wanted}


@pytest.mark.parametrize(
    "text",
    [
        "conv.colour=red",
        "conv",
        "nothing.tile=24",
        ".tile=3",
        "conv.schedule=sometimes",
        "conv.partition=maybe",
        "conv.tile=big",
        "conv.tile=0x4",
    ],
)
def test_stage_options_that_make_no_sense(model, text):
    with pytest.raises(MemxcError) as caught:
        compile_model(Options(model, target.load("ideal"), stage_set=(text,)))
    assert caught.value.faults[0].code == "usage"


def test_without_samples_there_is_a_warning_and_a_margin(model):
    model.with_suffix(".samples.npz").unlink()
    compiled = compile_model(Options(model, target.load("ideal"), input_range=(-2, 2)))
    assert any("margin of 2" in warning for warning in compiled.warnings)
    assert compiled.design.buses["x"].scale == pytest.approx(0.2 / 4, rel=0.05)


def test_a_kept_batch_normalisation_stands_beside_the_crossbars():
    model = Path(__file__).parent.parent / "models" / "msccnn_fashion_bn.onnx"
    given = model.with_name("msccnn_fashion.samples.npz")
    options = Options(model, target.load("ideal"), batchnorm="stage", samples=given)
    compiled = compile_model(options)
    assert any(array.cell == "batchnorm" for array in compiled.design.arrays)
    bills = resources.measure(compiled.design, 1e-6, lambda name: (128, 128))
    total = sum(bill.resources.crossbars for bill in bills)
    assert compiled.records[-1].after["crossbars"] == total


@pytest.mark.parametrize(
    ("text", "words"),
    [
        # The samples of this network: average pooling is fixed resistors, of which nothing is set.
        ("{pool}.schedule=sequential", "no such stage"),
        ("{norm}.partition=none", "only schedule is its own"),
        ("{norm}.schedule=sequential", ""),
    ],
)
def test_stages_that_stand_beside_the_crossbars(text, words):
    net = Path(__file__).parent.parent / "models" / "msccnn_fashion_bn.onnx"
    given = net.with_name("msccnn_fashion.samples.npz")
    nodes = onnx.load(net).graph.node
    names = {
        "pool": next(n.name for n in nodes if "AveragePool" in n.op_type),
        "norm": next(n.name for n in nodes if n.op_type == "BatchNormalization"),
    }
    options = Options(
        net, target.load("ideal"), batchnorm="stage", samples=given, schedule="sequential",
        stage_set=(text.format(**names),),
    )  # fmt: skip
    if words:
        with pytest.raises(MemxcError, match=words):
            compile_model(options)
    else:
        compile_model(options, check=False)
