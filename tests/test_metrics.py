"""Scores worked out by hand, and which labels fit which metric."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.errors import MemxcError
from memxc.evaluation.metrics import METRICS, choose


def test_top1_by_hand():
    answers = np.array([[0.1, 0.7, 0.2], [0.5, 0.1, 0.4], [0.2, 0.3, 0.5]])
    assert METRICS["top1"](answers, np.array([1, 2, 2])).tolist() == [1, 0, 1]


def test_masks_by_hand():
    answers = np.array([[[0.9, 0.9, 0.1], [0.2, 0.9, 0.0]], np.zeros((2, 3))])
    truth = np.array([[[1, 0, 0], [1, 1, 0]], np.zeros((2, 3))])
    # two pixels in both, three in each
    assert METRICS["dice"](answers, truth).tolist() == pytest.approx([2 / 3, 1])
    assert METRICS["iou"](answers, truth).tolist() == pytest.approx([2 / 4, 1])


def test_a_pixel_is_in_a_mask_above_one_half():
    answers, truth = np.array([[0.49, 0.5, 0.51, 1e9, -1e9]]), np.array([[0, 0, 1, 1, 0]])
    assert METRICS["iou"](answers, truth).tolist() == [1]


@pytest.mark.parametrize("label", [4, -1, 1.5, np.nan])
def test_labels_that_no_answer_can_have(label):
    with pytest.raises(MemxcError, match="classes are 0 to 3"):
        choose(None, (4,), np.array([0, 3, label]), "data.npz")
    assert choose("error", (4,), np.array([0, 3, label]), "data.npz") == "error"


@pytest.mark.parametrize("value", [0.37, -1, 2, np.nan])
def test_numbers_that_are_no_mask(value):
    labels = np.zeros((7, 4, 6))
    labels[3, 1, 2] = value
    with pytest.raises(MemxcError, match="read as masks"):
        choose(None, (1, 4, 6), labels, "data.npz")
    assert choose("error", (1, 4, 6), labels, "data.npz") == "error"


def test_masks_of_bytes_and_classes_spelled_out():
    masks = np.eye(6)[[5, 3, 0, 0]]
    assert choose(None, (2, 3), 255 * masks, "data.npz") == "dice"
    with pytest.raises(MemxcError, match="one number, 0 to 5"):
        choose(None, (6,), masks, "data.npz")
    masks[0, 1] = 1  # two pixels: a mask of one row
    assert choose(None, (6,), masks, "data.npz") == "dice"


def test_errors_by_hand():
    answers, right = np.array([[1.0, -2.0], [0.0, 0.5]]), np.array([[1.0, -4.0], [0.0, 0.0]])
    assert METRICS["error"](answers, right).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("answer", "labels", "metric"),
    [
        ((10,), np.zeros(7, np.int64), "top1"),
        ((1, 4, 6), np.zeros((7, 1, 4, 6)), "dice"),
        ((1, 4, 6), np.zeros((7, 4, 6)), "dice"),
        ((10,), None, "error"),
    ],
)
def test_the_labels_choose(answer, labels, metric):
    assert choose(None, answer, labels, "data.npz") == metric


@pytest.mark.parametrize(
    ("asked", "answer", "labels", "what"),
    [
        ("dice", (4,), np.zeros(7), "holds classes, one a sample; dice needs masks of the shape 4"),
        ("iou", (2, 3), np.zeros((7, 1)), "holds classes, one a sample; iou needs masks of the "
         "shape 2x3"),
        ("top1", (4, 6), np.zeros((7, 4, 6)), "holds labels of the shape 4x6; top1 needs one "
         "class a sample"),
        ("top1", (1,), np.zeros(7), "holds classes, one a sample; top1 needs answers of several "
         "classes"),
        ("dice", (4,), None, "holds no labels y; dice needs masks of the shape 4"),
    ],
)  # fmt: skip
def test_what_labels_are_and_should_be(asked, answer, labels, what):
    with pytest.raises(MemxcError) as caught:
        choose(asked, answer, labels, "data.npz")
    assert caught.value.faults[0].what == what


@pytest.mark.parametrize(
    ("asked", "answer", "labels"),
    [
        ("top1", (10,), None),
        ("top1", (1, 4, 6), np.zeros((7, 1, 4, 6))),
        ("dice", (10,), np.zeros(7)),
        (None, (10,), np.zeros((7, 3))),
    ],
)
def test_labels_that_do_not_fit(asked, answer, labels):
    with pytest.raises(MemxcError, match=r"data\.npz"):
        choose(asked, answer, labels, "data.npz")
