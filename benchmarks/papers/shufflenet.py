"""Paper 4: ShuffleNetV2 with (M+1) x 2 circuits: counts, stages, time, watts of a neuron."""

from __future__ import annotations

from collections.abc import Iterator

import accuracy
import spice
from runs import report
from table import Row

OPTIONS = "--partition none --schedule sequential"
#: Counts that docs/papers.md derives for both widths: (differential, inverted inputs).
WIDTHS = {
    "x05": {"memristors": (689_118, 685_135), "word_lines": (344_559, 685_135),
            "inverters": (3_983, 340_576), "inverters_shared": (3_983, 3_292)},
    "x10": {"memristors": (2_504_514, 2_496_417), "word_lines": (1_252_257, 2_496_417),
            "inverters": (8_097, 1_244_160), "inverters_shared": (8_097, 6_182)},
}  # fmt: skip
WHERE = {"stage": "a stage", "fold": "folded"}
WORDS = {
    "memristors": "memristors, 2(M+1) against 2M+1 a kernel",
    "word_lines": "word lines, M+1 against 2M+1 a kernel",
    "inverters": "inverters, one a kernel against M",
    "inverters_shared": "inverters where a layer's kernels share theirs",
}


def rows(data: accuracy.Data) -> Iterator[Row]:
    """Counts of both widths, then the path of 137 stages."""
    for width, counts in WIDTHS.items():
        model = f"shufflenetv2_{width}_fer2013.onnx"
        kinds = report(model, OPTIONS)["resources"]["per_kernel"]
        for name, theirs in counts.items():
            ours = (kinds["differential"][name], kinds["inverted_inputs"][name])
            yield Row(
                4, f"{width}: {WORDS[name]}", f"{theirs[0]:,} / {theirs[1]:,}", "derived",
                f"{ours[0]:,} / {ours[1]:,}",
                f"memxc compile -t paper-128 models/{model} {OPTIONS}",
            )  # fmt: skip
        yield Row(
            4, f"{width}: accuracy on FER2013", "-", "ours",
            accuracy.of(model, "fer2013", data), accuracy.command(model, "fer2013"), data=True,
        )  # fmt: skip
        yield spice.row(4, model, "fer2013", data)
        kept = model.replace(".onnx", "_bn.onnx")
        yield spice.row(4, kept, "fer2013", data, "--batchnorm stage")
    yield from _path()


def _path() -> Iterator[Row]:
    for model, batchnorm, theirs, tag in (
        ("shufflenetv2_x05_fer2013_bn.onnx", "stage", "137 ns", "abstract"),
        ("shufflenetv2_x05_fer2013.onnx", "fold", "87 stages", "derived"),
    ):
        options = f"--partition none --batchnorm {batchnorm}"
        found = report(model, options)
        latency = found["latency"]
        yield Row(
            4, f"time of an inference, BatchNormalization {WHERE[batchnorm]}", theirs, tag,
            f"{latency['critical_path_stages']} stages, {1e9 * latency['inference_s']:.0f} ns",
            f"memxc compile -t paper-128 models/{model} {options}",
        )  # fmt: skip
    neuron = found["power"]["neuron_max_w"]
    yield Row(
        4, "largest watts of a neuron (theirs: device unknown)", "2.8 uW",
        "abstract, not derivable", f"{1e6 * neuron:.0f} uW at 10 kohm to 1 Mohm",
        f"memxc compile -t paper-128 models/{model} {options}",
    )  # fmt: skip
