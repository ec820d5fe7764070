"""The plot of a sweep: the texts on its axes, and equal bytes for equal results."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from memxc.simulate import SweepRow, SweepScores, plot

pytest.importorskip("matplotlib")


def words(result):
    """Return every text in the plot."""
    root = ET.fromstring(plot.svg(result))
    return ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]


def result(values, scores, metric="top1", original=0.9, key="wire.r_word_line", more=()):
    rows = [
        SweepRow((f"{key}={value}", *more), tuple(own))
        for value, own in zip(values, scores, strict=True)
    ]
    return SweepScores(metric, 1234, original, tuple(rows))


def test_axes_have_names_and_units():
    found = words(result(["1", "2", "3"], [[0.8, 0.7], [0.6, 0.5], [0.4, 0.1]]))
    assert "wire.r_word_line (Ω)" in found
    assert "accuracy, top-1 (%)" in found
    assert "original network, 90.00 %" in found
    assert "1,234 samples, mean and standard deviation of 2 draws" in found


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("wire.r_bit_line_ohm", "wire.r_bit_line_ohm (Ω)"), ("device.sigma", "device.sigma"),
        ("device.drift_time", "device.drift_time (s)"), ("device.levels", "device.levels"),
        ("device.temperature_k", "device.temperature_k (K)"),
        ("device.temperature_coefficient_per_k", "device.temperature_coefficient_per_k (1/K)"),
        ("amplifier.power", "amplifier.power (W)"),
        ("device.sinh_v0", "device.sinh_v0 (V)"), ("what.ever", "what.ever"),
    ],
)  # fmt: skip
def test_units_of_keys(key, label):
    assert plot.axis(key) == label


def test_values_that_span_decades_are_named_on_a_logarithmic_axis():
    scores = [[0.8]] * 4
    assert {"0.1", "1", "10", "100"} <= set(words(result(["0.1", "1", "10", "100"], scores)))
    assert {"0", "0.1", "1", "10"} <= set(words(result(["0", "0.1", "1", "10"], scores)))


def test_values_that_are_words_keep_their_order():
    found = words(result(["sinh", "linear"], [[0.8], [0.9]], key="device.iv"))
    assert found.index("sinh") < found.index("linear")


def test_a_single_point_without_a_sweep():
    assert "accuracy, top-1 (%)" in words(SweepScores("top1", 9, None, (SweepRow((), (0.5,)),)))


def test_values_of_the_second_key_are_in_the_legend():
    rows = [
        SweepRow((f"device.sigma={s}", f"wire.r_neuron={r}"), (0.5,))
        for s in (0, 1)
        for r in (3, 4)
    ]
    found = words(SweepScores("error", 9, None, tuple(rows)))
    assert {"wire.r_neuron=3", "wire.r_neuron=4", "device.sigma"} <= set(found)


def test_the_same_bytes():
    one = result(["1", "2"], [[0.8, 0.7], [0.6, 0.5]])
    assert plot.svg(one) == plot.svg(one)
