"""Results are kept at once, and found again by everything they depend on."""

from __future__ import annotations

from memxc.simulate.journal import Journal


def test_results_are_found_again(tmp_path):
    path = tmp_path / "results" / "r.jsonl"
    Journal(path).add({"seed": [0, 1], "data": "a"}, 0.25)
    Journal(path).add({"seed": [0, 2], "data": "a"}, 0.5)
    again = Journal(path)
    assert again.get({"data": "a", "seed": [0, 1]}) == 0.25
    assert again.get({"data": "a", "seed": [0, 2]}) == 0.5
    assert again.get({"data": "b", "seed": [0, 1]}) is None


def test_a_line_cut_short_is_one_result_less(tmp_path):
    path = tmp_path / "r.jsonl"
    Journal(path).add({"seed": 1}, 0.25)
    Journal(path).add({"seed": 2}, 0.5)
    path.write_text(path.read_text()[:-20])
    again = Journal(path)
    assert again.get({"seed": 1}) == 0.25
    assert again.get({"seed": 2}) is None
    again.add({"seed": 2}, 0.75)
    assert Journal(path).get({"seed": 2}) == 0.75
