"""The rungs of the ladder: the distance of two steps, and the warnings about it."""

from __future__ import annotations

import numpy as np
import pytest

from memxc import target
from memxc.compiler.ladder import Ladder, distance
from memxc.compiler.observers import PassRun
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.evaluation import evaluate, reference
from memxc.interfaces import Context
from memxc.ops.lower import lower
from memxc.passes.calibrate import Calibrate

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "known", "apart", "relative"),
    [
        ([1, 2, -7], [1, 4, -4], 3, 0.75),
        ([0.5], [0], 0.5, 0.5),
        ([1, NAN], [1, 2], NAN, NAN),
        ([1, 2], [NAN, 2], NAN, NAN),
        ([NAN, 2], [NAN, 2], NAN, NAN),
        ([-INF, 2], [-INF, 4], 2, 0.5),
        ([INF, 2], [-INF, 4], INF, INF),
        ([3, 2], [INF, 4], INF, INF),
    ],
)
def test_the_distance_of_two_tensors(value, known, apart, relative):
    found = distance(np.array(value, np.float32), np.array(known, np.float64))
    np.testing.assert_equal(found, (apart, relative))


def calibrated(design, ctx):
    """Return a step of an exact pass."""
    result = Calibrate().run(design, ctx)
    return PassRun(Calibrate(), design, result.ir, result)


@pytest.fixture
def two_outputs(model, monkeypatch):
    """The ladder of a lowered network with a second output, which evaluate gives what is asked."""
    design = lower(compile_model(Options(model, target.load("ideal")), check=False).graph)
    right = reference.run

    def build(known, *found):
        answers = iter(found)

        def outputs(design, inputs):
            value = next(answers)
            return {"y": right(model, inputs)["y"].astype(float), "z": np.full((2, 3), value)}

        monkeypatch.setattr(
            reference, "run", lambda *args: {**right(*args), "z": np.full((2, 3), known)}
        )
        monkeypatch.setattr(evaluate, "outputs", outputs)
        x = np.random.default_rng(3).uniform(size=(2, 2, 6, 5)).astype(np.float32)
        ctx = Context(target.load("ideal"), {"x": x})
        ladder = Ladder(model, ctx)
        return ladder, ladder.start(design), calibrated(design, ctx)

    return build


def test_a_second_output_that_is_nan_is_not_lost(two_outputs):
    ladder, (warning,), _ = two_outputs(1.0, NAN)
    assert np.isnan(ladder.rungs[0].max_abs_error)
    assert "NaN" in warning
    assert "--samples" in warning


@pytest.mark.parametrize(("found", "told"), [(1.0009, False), (0.998, True), (INF, True)])
def test_a_long_first_rung_is_told(two_outputs, found, told):
    _, warnings, _ = two_outputs(1.0, found)
    assert len(warnings) == told
    assert all("onnxruntime" in text or "infinite" in text for text in warnings)


def test_an_exact_pass_may_not_bring_nan(two_outputs):
    ladder, _, step = two_outputs(1.0, 1.0, NAN)
    with pytest.raises(AssertionError, match="exact pass calibrate"):
        ladder.see(step)


def test_nan_that_was_there_before_is_no_fault_of_a_pass(two_outputs):
    ladder, _, step = two_outputs(1.0, NAN, NAN)
    ladder.see(step)
    assert np.isnan([rung.max_rel_error for rung in ladder.rungs]).all()


def test_what_limiters_clip_is_part_of_the_loss(model, tmp_path):
    """The first 64 samples calibrate. Larger signals in the others are clipped, with a warning."""
    x = np.random.default_rng(3).uniform(size=(80, 2, 6, 5)).astype(np.float32)
    x[64:] *= 3
    np.savez(tmp_path / "x.npz", x=x)
    options = Options(model, target.load("paper-128"), samples=tmp_path / "x.npz")
    compiled = compile_model(options)
    right = reference.run(model, {"x": x})["y"].reshape(80, -1)
    found = evaluate.outputs(compiled.design, {"x": x})["y"].reshape(80, -1)
    errors = np.abs(found - right).max(axis=1) / np.abs(right).max(axis=1)
    assert errors[64:].max() > 0.01 > errors[:64].max()
    assert compiled.loss.lost == pytest.approx(errors.mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("error", "size", "digits", "up", "told"),
    [
        (2.060674690e-7, 1.0, 10, False, (2.061e-7, 2.061e-7)),
        # 4e-15 of the largest output: what two processors differ by.
        (4e-13, 100.0, 10, False, (0.0, 0.0)),
        (0.0166342657766467, 7.0, 10, False, (0.016634266, 0.0023763237)),
        (2.06e-7, 1.0, 6, True, (1e-6, 1e-6)),
        (2.88e-7, 1.0, 6, True, (1e-6, 1e-6)),
        (1.2e-6, 1.0, 6, True, (2e-6, 2e-6)),
        (4e-15, 1.0, 6, True, (0.0, 0.0)),
        (0.0, 3.0, 6, True, (0.0, 0.0)),
        (3e300, 1e300, 6, True, (3e300, 3.0)),
        (3e-304, 1e-300, 6, True, (3e-304, 3e-4)),
    ],
)
def test_errors_have_no_digit_that_depends_on_the_processor(error, size, digits, up, told):
    known = np.array([size, size / 3])
    found = distance(known - [0, error], known, digits, up)
    assert found == pytest.approx(told, rel=1e-6 if error < 1e-8 else 1e-9, abs=0)
