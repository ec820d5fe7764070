"""memxc targets: a copy of a target is the target."""

import pytest

from memxc import target


@pytest.mark.parametrize("name", ["hfox-128", "paper-128"])
def test_what_targets_prints_is_a_file_of_the_same_target(memxc, name, tmp_path):
    done = memxc("targets", name)
    path = tmp_path / "mine.toml"
    path.write_text(done.out)
    assert (done.code, target.load(str(path))) == (0, target.load(name))
    assert memxc("targets", name, "--json").json == target.load(name).model_dump(mode="json")


def test_a_target_that_is_not_there_is_a_fault_with_the_nearest_name(memxc):
    done = memxc("targets", "hfox-127")
    assert done.code != 0
    assert "hfox-128" in done.err
