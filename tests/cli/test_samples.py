"""memxc samples: the file it makes is what compile takes."""

from __future__ import annotations

import numpy as np


def test_a_table_becomes_the_samples_of_a_compilation(memxc, model, tmp_path):
    rows = np.random.default_rng(3).uniform(-1, 1, (9, 60))
    path = tmp_path / "table.csv"
    path.write_text("\n".join(",".join(map(str, [*row, n % 4])) for n, row in enumerate(rows)))
    path.write_text(",".join([*(f"p{n}" for n in range(60)), "label"]) + "\n" + path.read_text())
    made = tmp_path / "made.npz"
    done = memxc("samples", path, "-o", made, "--shape", "2x6x5", "--count", "8")
    assert (done.code, done.err) == (0, "")
    assert "8 samples of 2x6x5" in done.out
    assert "labels 0 to 3" in done.out
    assert memxc("compile", model, "--samples", made, "-o", tmp_path / "out").code == 0
    with np.load(made) as file:
        assert np.allclose(file["x"][0].ravel(), rows[0].astype(np.float32))


def test_wrong_options_are_usage_faults(memxc, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 4)))
    for words in (["--mean", "x"], ["--size", "3"], ["--shape", "5"], ["--count", "0"]):
        done = memxc("samples", tmp_path / "a.npy", "-o", tmp_path / "b.npz", *words)
        assert done.code == 2, words
    assert memxc("samples", tmp_path, "-o", tmp_path / "b.npz").code == 2
    assert not (tmp_path / "b.npz").exists()
