"""compile --mitigate on the command line."""

from memxc.compiler.options import MITIGATIONS


def test_the_order_on_the_command_line_does_not_matter(memxc, model, tmp_path):
    for name, text in (("a", "compensate,both-ends"), ("b", "both-ends,compensate")):
        done = memxc("compile", model, "-o", tmp_path / name, "--mitigate", text)
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[-1] == f"Next: memxc verify {tmp_path / name} --wire"
    designs = [(tmp_path / name / "design.npz").read_bytes() for name in "ab"]
    assert designs[0] == designs[1]


def test_a_mitigation_that_is_none_is_a_usage_error(memxc, model, tmp_path):
    done = memxc("compile", model, "-o", tmp_path / "out", "--mitigate", "both-sides")
    assert done.code == 2
    for name in MITIGATIONS:
        assert name in done.err


def test_an_ideal_target_is_told_that_nothing_is_to_be_done(memxc, model, tmp_path):
    done = memxc("compile", model, "-o", tmp_path / "o", "-t", "ideal", "--mitigate", "both-ends")
    assert done.code == 0
    assert "both-ends changed nothing: the wires of the target ideal have no resistance" in done.err
