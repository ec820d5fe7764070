"""The models of the JSON documents: what is made from them, and a report read back through them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import memxc
from memxc.backends.cost.resources import Resources
from memxc.build_folder.report.document import Size
from memxc.documents import Part
from memxc.evaluation.losses import Loss
from memxc.ir.store import dumps

ROOT = Path(memxc.__file__).parents[1]


def parts(kind=Part):
    for part in kind.__subclasses__():
        yield part
        yield from parts(part)


def test_every_key_says_what_it_is():
    known = [part for part in parts() if part is not Resources]
    assert len(known) > 40
    for part in known:
        assert part.__doc__, part
        for name, field in part.model_fields.items():
            told = [field.description, *(getattr(m, "description", None) for m in field.metadata)]
            assert any(text and text.endswith(".") for text in told), f"{part.__name__}.{name}"


LOSS = {
    "samples": 3, "max_abs_error": 0.5, "max_rel_error": 0.25, "metric": "error", "before": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("word", ["inf", "-inf", "nan"])
def test_numbers_that_json_has_not_are_words_and_come_back(word):
    loss = Loss(**LOSS, after=0.1, lost=float(word))
    tree = json.loads(dumps(loss.tree()))
    assert tree["lost"] == word
    back = Loss.model_validate(tree)
    assert back.lost == loss.lost or (math.isnan(back.lost) and math.isnan(loss.lost))


@pytest.mark.parametrize("value", ["0.5", "infinity", True, None, [1]])
def test_other_words_are_no_numbers(value):
    with pytest.raises(ValueError, match="lost"):
        Loss(**LOSS, after=0.1, lost=value)


def test_what_a_pass_did_not_measure_has_no_key():
    counts = {"crossbars": 1, "memristors": 2, "multiplications": 3, "parameters": 4}
    size = Size.model_validate({**counts, "saturated": 0, "figure_of_a_plugin": 0.5})
    assert size.tree() == {**counts, "saturated": 0, "figure_of_a_plugin": 0.5}
