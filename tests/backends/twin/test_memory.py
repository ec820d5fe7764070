"""What a twin may take: a fault where no file holds it, and a network of ResNet-50's size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from memxc import simulate, target
from memxc.backends import twin
from memxc.backends.twin import graph_builder
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError

RESNET = Path(onnx.__file__).parent / "backend/test/data/light/light_resnet50.onnx"
#: GiB at the peak, in a process of its own that compiles first: measured 1.63 for the compilation,
#: 1.63 for the effective matrices, 1.83 for the twin.
MOST_GIB = 2.5

SCRIPT = """
import json, resource, sys
from pathlib import Path
from memxc import simulate, target
from memxc.backends import twin
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

chosen = target.load("paper-128").with_set("wire.r_word_line=0", "wire.r_bit_line=0")
options = Options(Path(sys.argv[1]), chosen, partition="none", schedule="sequential")
design, found = compile_model(options, check=False).design, []
found.append(peak())
circuit = simulate.circuit(design, chosen.with_set("device.sigma=0.05"), 1, "definition")
found.append(peak())
made = twin.model(circuit)
print(json.dumps({"gib": [*found, peak()], "bytes": len(made)}))
"""


def test_a_twin_that_no_file_holds_is_a_fault(model, monkeypatch):
    chosen = target.load("paper-128")
    design = compile_model(Options(model, chosen, partition="none")).design
    drawn = simulate.circuit(design, chosen.with_set("device.sigma=0.1"), 1, "placement")
    shared = simulate.circuit(design, chosen.with_set("device.sigma=0.1"), 1, "definition")
    made = twin.model(shared)
    monkeypatch.setattr(graph_builder, "MOST_BYTES", len(made))
    with pytest.raises(MemxcError) as caught:
        twin.model(drawn)
    fault = caught.value.faults[0]
    assert fault.code == "usage"
    assert "GB" in fault.what
    assert "--draw-per definition" in fault.hint
    assert twin.model(shared) == made


@pytest.mark.slow
def test_resnet_50_stays_small():
    command = [sys.executable, "-c", SCRIPT, str(RESNET)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1800)
    found = json.loads(done.stdout)
    print(f"peaks in GiB: {found['gib']}; the twin: {found['bytes'] / 2**20:.0f} MiB")
    assert max(found["gib"]) < MOST_GIB
    # 25.6 million weights of four bytes, and little else.
    assert 1.0e8 < found["bytes"] < 1.4e8
