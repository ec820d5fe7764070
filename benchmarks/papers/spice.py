"""Simulate every stage of the sequential netlists in SPICE, on four pictures."""

from __future__ import annotations

import accuracy
from runs import folder, memxc
from table import Row

PICTURES, CALIBRATED = 4, 64
NOT_RUN = "not run: wants --long and the data"


def row(paper: int, model: str, name: str, data: accuracy.Data, options: str = "") -> Row:
    """Stages that agree with the design, and the scores in SPICE and in onnxruntime.

    name: the name of a data set. options: more options of `memxc compile`.
    """
    options = f"--partition none --schedule sequential {options}".strip()
    return Row(
        paper, f"{model} in SPICE, {PICTURES} pictures", "-", "ours",
        _agreement(model, options, name, data),
        f"memxc compile -t paper-128 models/{model} {options} --samples {name}.npz; "
        f"memxc verify DIR --count {PICTURES}", data=True,
    )  # fmt: skip


def _agreement(model: str, options: str, name: str, data: accuracy.Data) -> str:
    path = getattr(data, name)
    if path is None or not data.long:
        return NOT_RUN
    samples = accuracy.samples(name, path, "test", CALIBRATED)
    where = folder(model, options, f"--samples {samples}")
    found = memxc("verify", str(where), "--count", str(PICTURES), "--json")
    assert found is not None, "verify prints JSON"
    stages, outputs = found["stages"], found["outputs"]
    score = f"{outputs['score']:.4f} and {outputs['original_score']:.4f}"
    return (
        f"{sum(s['ok'] for s in stages)} of {len(stages)} stages agree; "
        f"{outputs['metric']} {score} in onnxruntime, outputs {outputs['max_rel_error']:.1e} apart"
    )
