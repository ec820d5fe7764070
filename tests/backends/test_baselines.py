"""Each baseline has the figures of a compilation in that way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from memxc import target
from memxc.backends.cost import baselines, paper_rule
from memxc.backends.cost.latency_rows import Latency
from memxc.build_folder.report.build import build
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model

MODEL = Path(__file__).parents[2] / "models" / "msccnn_fashion.onnx"


def compiled(**options):
    given = Options(MODEL, target.load("paper-128"), **options)
    return compile_model(given, check=False)


@pytest.fixture(scope="module")
def packed():
    return build(compiled(), "0" * 64)


def row(found, name):
    (one,) = [row for row in found.baselines if row.name == name]
    return one


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("inverted inputs", {"signed": "inverted-inputs"}),
        ("paper rule", {"partition": "paper"}),
        ("im2col", {"partition": "none"}),
    ],
)
def test_a_baseline_equals_a_compilation_with_its_options(packed, name, options):
    wanted, found = build(compiled(**options), "0" * 64), row(packed, name)
    assert found.resources == wanted.resources.total
    assert found.latency == Latency(
        **{key: getattr(wanted.latency, key) for key in Latency.model_fields}
    )
    for key, watts in found.power:
        assert watts == pytest.approx(getattr(wanted.power, key), rel=1e-12), key
    assert found.resources != packed.resources.total


def test_the_report_has_three_baselines_in_order(packed):
    names = [row.name for row in packed.baselines]
    assert names == ["inverted inputs", "paper rule", "im2col"]
    assert [row.resources.crossbars for row in packed.baselines] == [760, 839, 15289]


def test_the_paper_rule_is_parallel_whatever_was_asked(packed):
    found = build(compiled(schedule="sequential"), "0" * 64)
    assert row(found, "paper rule") == row(packed, "paper rule")
    assert row(found, "im2col").latency.periods > row(packed, "im2col").latency.periods


def test_options_of_single_stages_do_not_change_a_baseline(packed):
    found = build(compiled(stage_set=("/stem/conv/Conv.partition=none",)), "0" * 64)
    assert row(found, "paper rule") == row(packed, "paper rule")
    assert row(found, "inverted inputs").resources.crossbars > 760


def test_a_compilation_with_passes_has_baselines(packed):
    found = build(compiled(passes="fold-batchnorm,calibrate,tile,program,share"), "0" * 64)
    assert row(found, "paper rule") == row(packed, "paper rule")
    assert found.resources.total == row(packed, "im2col").resources
    assert {one.patch for one in found.resources.layouts} == {()}


def test_a_baseline_that_cannot_be_built_is_a_warning():
    done = compiled()
    # Two rows hold no input and bias with inverted inputs, but with differential pairs they do.
    crossbar = done.target.crossbar.model_copy(update={"rows": 2, "columns": 4})
    small = replace(
        done.context, target=done.target.model_copy(update={"crossbar": crossbar}), stage_set={}
    )
    found, warnings = baselines.measure(done.unlaid, "none", small)
    assert [one.name for one in found] == ["paper rule", "im2col"]
    (warning,) = warnings
    assert warning.startswith("no baseline inverted inputs: ")
    assert "holds no input" in warning


def test_layouts_say_what_is_placed(packed):
    # Every layout is built as it says; only a bias line without room may add to it.
    rows = packed.resources.layouts
    said = {one.stage: one.crossbars for one in rows}
    built = {
        stage.stage: stage.crossbars
        for stage in packed.resources.stages
        if stage.kind == "memristor"
    }
    assert said == built


def test_a_2d_and_a_1d_kernel_with_a_function_between_count_as_a_3d_layer(packed):
    # The five blocks are 2D, Relu, 1D; as 3D kernels of 16, 32, 64, 64, 64 channels on 14 x 14
    # (four patches of 8 x 8) and on 7 x 7 (one): 16 * 32 * 4 + 32 * 64 + 3 * 64 * 64; the stem
    # is 3D, 16 filters on 28 x 28, 16 patches.
    rule = packed.resources.sub_images.square
    assert rule.as_3d == 16 * 16 + 16 * 32 * 4 + 32 * 64 + 3 * 64 * 64
    assert (rule.kernels_3d, rule.kernels_2d) == (256, 16 * 4 + 32 + 3 * 64)
    assert paper_rule.measure(compiled().unlaid, compiled().context).square == rule
