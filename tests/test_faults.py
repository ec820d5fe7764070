"""Single faults put into a compiled netlist, one at a time: lvs or verify finds every one that
changes what the circuit does, and neither cries over one that changes nothing.

Two circuits of one network: `a` has limiters, op-amps of a finite gain, differential pairs and a
first layer that takes turns; `b` is of ideal op-amps and inverted inputs, and all is parallel.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import netlist_reader, verify
from memxc.build_folder import read
from memxc.cli import _main
from memxc.errors import MemxcError
from memxc.lvs import compare_folder

PERIPHERY, FIRST, LAST = (
    f"netlist/cells/{name}.cir" for name in ("periphery", "s00_conv", "s04_dense")
)
TOP, MAPPING, SCHEDULE = "netlist/net.cir", "mapping.csv", "schedule.csv"


class Fault(NamedTuple):
    """What is done to a file of a circuit: `old` (a regular expression, found once at least, of
    which the first place is changed) becomes `new`. By whom it is found first: `reader` (a fault,
    exit code 3), `lvs`, `verify`, or nobody, for it changes nothing."""

    circuit: str
    file: str
    old: str
    new: str
    found: str


def in_a(file, found, *edits):
    return [Fault("a", file, old, new, found) for old, new in edits]


def in_b(file, found, *edits):
    return [Fault("b", file, old, new, found) for old, new in edits]


TIA2 = "e2 out 0 0 m 1.000000000e+05"
RELU = r"^b1 out 0 v=max\(v\(x0\),0.0+e\+00\)$"
MAX = r"^b1 out 0 v=max\(max\(v\(x0\),v\(x1\)\),v\(x2\)\)$"
LIMITER = r"^b1 out 0 v=min\(max\(v\(in\),0-\{clip\}\),\{clip\}\)$"

DEVICES = [
    *in_a(
        FIRST, "lvs",
        (r"^(R0_0 .*\d{8})\de", r"\g<1>0e"),  # the last digit of a resistor
        (r"^(R0_0 .*)e\+04", r"\1e+05"),
        (r"^(R1_1 w1 c1) \S+", r"\1 0"),
        (r"^(R1_1 w1 c1) ", r"\1 -"),
        (r"^R1_1 .*\n", ""),
        (r"^(R1_1 .*\n)", r"\1\1"),
        (r"^(R1_1 .*\n)", r"\1R1_1b w1 c1 5e4" "\n"),
        (r"^R1_1 w1 c1", "R1_1 w1 c2"),
        (r"^R1_1 w1 c1", "R1_1 w2 c1"),
        (r"^R1_1 w1 c1", "R1_1 w1 0"),
        (r"^R1_1 ", "R1_2 "),
        (r"^(R1_2 w1 c2) (\S+)\n(R1_3 w1 c3) (\S+)", r"\1 \4" "\n" r"\3 \2"),
        (r"^(R1_1 .*\n)", r"\1Rs w0 w1 1e9" "\n"),
        (r"^(R1_1 .*\n)", r"\1Rs c0 c1 1e9" "\n"),
        (r"^(R1_1 w1 c1) \S+", r"\1 {1e6}"),
        (r"^(R1_1 w1 c1) \S+", r"\1 1k"),
        (r"^(R1_1 .*)", r"\1 tc=0.1"),
        (r"^(R1_1 .*\n)", r"\1V1 w1 w4 0" "\n"),
        (r"^(R1_1 .*\n)", r"\1G1 c1 0 w1 0 1e-4" "\n"),
        (r"^\.subckt xb0 w0 w1", ".subckt xb0 w1 w0"),
        (r"^(\.subckt xb0 .*) c0 c1", r"\1 c1 c0"),
        (r"^(\.subckt xb0 .*) c3", r"\1"),
        (r"^(\.subckt) xb0 ([\s\S]*\.ends) xb0", r"\1 xb7 \2 xb7"),
        (r"^\.subckt xb0 [\s\S]*^\.ends xb0\n", ""),
        (r"^(\.subckt xb0 .*\n)", r"\1.ends xb0" "\n" r"\1"),
    ),
    *in_b(LAST, "lvs", (r"^(R0_0 \S+ \S+) \S+", r"\1 1.000000001e+06")),
]  # fmt: skip

INSTANCES = [
    *in_a(
        TOP, "lvs",
        ("q0_0_0_0 q0_0_0_1", "q0_0_0_1 q0_0_0_0"),
        ("q0_0_0_3 vbias0", "vbias0 q0_0_0_3"),
        ("q0_0_0_3 vbias0", "q0_0_0_3 vbiasn0"),
        ("p1_0 m1_0 p1_6", "m1_0 p1_0 p1_6"),
        (" m1_6 xb0", " 0 xb0"),
        ("m5_2 xb1", "m5_2 xb0"),
        ("^(xs4_k0_g0_p0) n3_0", r"\1 0"),
        ("^(xs4_k0_g0_p0) n3_0", r"\1 r3_0"),
        ("^(xs4_k0_g0_p0) n3_0 n3_1", r"\1 n3_1 n3_0"),
        ("^xs4_.*\n", ""),
        ("^(xs4_)(.*\n)", r"\1\2\1b\2"),
        ("^xa1_0 .*\n", ""),
        ("^(xa1_0 .*\n)", r"\1\1"),
        ("^(xa1_0 .*\n)", r"\1xa1_1 p1_0 m1_0 n1_1 tia r_f=1 r_join=1" "\n"),
        ("^xa1_0 p1_0 m1_0", "xa1_0 m1_0 p1_0"),
        ("^(xa1_0 .*) n1_0", r"\1 n1_6"),
        (r"^(xa1_0 .* r_f=\d\.\d{8})\d", r"\g<1>9"),
        (r"^(xa1_0 .* r_join=)\S+", r"\1 1e4"),
        ("^(xa1_0 .*)", r"\1 m=2"),
        ("^(xa1_0 .*) r_join=.*", r"\1"),
        ("^(xa1_0 .*) tia", r"\1 limiter"),
        ("^xl3_1 .*\n", ""),
        ("^xl3_1 r3_1 n3_1", "xl3_1 n3_1 r3_1"),
        ("^xl3_1 r3_1 n3_1", "xl3_1 r3_0 n3_1"),
        ("^(xl3_1 .*clip)=.*", r"\1=2.600000000e-01"),
        ("^xf2_3 n1_3 n2_3 relu0", "xf2_3 n1_2 n2_3 relu0"),
        ("^xf2_3 n1_3 n2_3 relu0", "xf2_3 n1_3 n2_2 relu0"),
        ("^xf2_3 n1_3 n2_3 relu0", "xf2_3 n1_3 n2_3 limiter clip=1"),
        ("^xf2_3 .*\n", ""),
        ("^(xf3_0 n2_0) n2_1", r"\1 n2_2"),
        ("^(xf3_0 .*\n)", r"\1xmore n2_0 n2_1 relu0" "\n"),
    ),
    *in_a(
        TOP, "reader",
        ("^(xf3_0 .*\n)", r"\1Rmore n2_0 n2_1 1e3" "\n"),
        ("^(xf3_0 .*\n)", r"\1Vmore n2_0 0 0.1" "\n"),
        ("^(xf3_0 .*\n)", r"\1.global p" "\n"),
        ("^(xf3_0 .*\n)", r"\1.options gmin=1" "\n"),
    ),
    *in_b(
        TOP, "lvs",
        ("^xi0_0_0 .*\n", ""),
        ("^xi0_0_1 n0_1 i0_0_1", "xi0_0_1 n0_0 i0_0_1"),
        ("^xi0_0_1 n0_1 i0_0_1", "xi0_0_1 i0_0_1 n0_1"),
        ("n0_0 i0_0_0", "i0_0_0 n0_0"),
        ("vbias4 vbiasn4", "vbiasn4 vbias4"),
        ("(xa5_0 .*r_f)=.*", r"\1=1e+04"),
    ),
]  # fmt: skip

HEAD = in_a(
    TOP, "lvs",
    (r"vbias0 at \S+", "vbias0 at 2.000000001e-01"),
    (r"vbiasn0 at -", "vbiasn0 at "),
    (r"^.*vbias4 at.*\n", ""),
    (r"(supply.*: )vbias4", r"\1vbias0"),
    (r"(supply.*: )vbias4", r"\1vbias1"),
    (r"^(\* input.*), \S+ V a unit", r"\1, 3.0e-01 V a unit"),
    (r"^(\* input.*clipped at) \S+", r"\1 3.0e-01"),
    (r"^(\* input.*), clipped at .*", r"\1"),
    (r"^(\* input.*)n0_0 to n0_11", r"\1n0_11 to n0_0"),
    (r"^(\* input.*)n0_0 to n0_11", r"\1n1_0 to n1_11"),
    (r"^\* input.*\n", ""),
    (r"^(\* output 1.*), \S+ V a unit", r"\1, 3.0e-02 V a unit"),
    (r"^(\* output 1.*)n5_0 to n5_2", r"\1n5_2 to n5_0"),
    (r"^(\* output 2, lanes 0 to 0: )n5_2 to n5_2", r"\1n5_1 to n5_1"),
    (r"^(\* output 2, lanes) 1 to 2", r"\1 0 to 1"),
    (r"^\* output 2, lanes 1 to 2.*\n", ""),
    (r"^\* output 1, (.*\n)\* output 2, (lanes 0 to 0)", r"* output 2, \1* output 1, \2"),
    (r"^(\* output 1.*\n)", r"\1* output 3, lanes 0 to 0: n5_0 to n5_0, 1 V a unit" "\n"),
    (r"^(\* output 1.*\n)", r"\1\1"),
)  # fmt: skip

CELLS = [
    *in_a(
        PERIPHERY, "lvs",
        (r"^e1 (.*)e\+05", r"e1 \1e+04"),
        (r"^e2 (.*)1\.0+e", r"e2 \1 1.000000001e"),
        (r"^\.subckt tia p m", ".subckt tia m p"),
        (r"^(\.subckt tia .*) r_join=1", r"\1"),
        (r"^\.subckt limiter in out", ".subckt limiter out in"),
        (r"^(\.subckt) limiter ([\s\S]*\.ends) limiter", r"\1 other \2 other"),
        (r"^\.subckt max1 x0 x1", ".subckt max1 x1 x0"),
        (RELU, "b1 out 0 v=max(v(x0),1e-6)"),
        (RELU, "b1 out 0 v=1.0000001*max(v(x0),0)"),
        (RELU, "b1 out 0 v=max(v(x0),0.01*v(x0))"),
        (RELU, "b1 out 0 v=v(x0)"),
        (MAX, "b1 out 0 v=max(max(v(x0),v(x1)),v(x1))"),
        (MAX, "b1 out 0 v=max(min(v(x0),v(x1)),v(x2))"),
    ),
    *in_a(
        PERIPHERY, "verify",
        (r"^e1 .*", "e1 a 0 0 p {1e4}"),
        (r"^e1 .*", "b1 a 0 v=-1e4*v(p)"),
        (r"^e1 .*", "e1 a 0 p 0 1e5"),
        (r"^e2 .*", "e2 out 0 m 0 1e5"),
        (r"^e2 .*", "e2 o 0 0 m 1e5\nb9 out 0 v=min(max(v(o),-0.26),0.26)"),
        (r"^e2 .*\nr3 .*", "e2 o 0 0 m 1e5\nr3 o m {r_f}\nb9 out 0 v=v(o)+1e-3*max(v(o)-0.4,0)"),
        (r"^r3 .*", "r3 out m {2*r_f}"),
        (r"^r3 .*", "r3 out m {r_join}"),
        (r"^r3 .*", "r3 out m {r_f*(1+1e-4)}"),
        (r"^r3 .*", "r3 out m {min(r_f,3e3)}"),
        (r"^r2 .*\n", ""),
        (r"^r1 .*", "r1 a p {2*r_join}"),
        (r"^(r2 .*)", r"\1" "\nr4 m 0 1"),
        (LIMITER, "b1 out 0 v=v(in)"),
        (LIMITER, "b1 out 0 v=min(v(in),{clip})"),
        (LIMITER, "b1 out 0 v=max(v(in),0-{clip})"),
        (LIMITER, "b1 out 0 v=min(max(v(in),0-{clip}),{clip})-max(v(in)-2.1*{clip},0)"),
        (LIMITER, "b1 out 0 v=min(max(v(in),0-{clip}),{clip})+max(-3.5*{clip}-v(in),0)"),
        (LIMITER, "b1 out 0 v=min(max(v(in),0-0.999*{clip}),{clip})"),
        (LIMITER, "b1 out 0 v={clip}*tanh(v(in)/{clip})"),
        (LIMITER, "b1 out 0 v=min(max(v(in),-0.2),0.2)"),
        (LIMITER, "b1 o 0 v=min(max(v(in),0-{clip}),{clip})\nr1 o out 10"),
        (RELU, "b1 out 0 v={max(v(x0),0.01*v(x0))}"),
        (RELU, "b1 out 0 v={max(v(x0),0)+min(v(x0)+0.2,0)}"),
        (RELU, "b1 out 0 v={min(max(v(x0),0),0.9)}"),
        (RELU, "e1 out 0 x0 0 1"),
        # Its limiter takes what is above 0.25 V, but not what comes back below.
        (MAX, "b1 out 0 v={max(max(v(x0),v(x1)),v(x2))-4*max(v(x2)-0.26,0)}"),
        (MAX, "b1 out 0 v={max(v(x0),v(x1))+0.5*max(v(x2)-max(v(x0),v(x1)),0)}"),
    ),
    *in_b(
        PERIPHERY, "verify",
        (r"^e1 out 0 0 in 1", "e1 out 0 0 in 0.9999"),
        (r"^e1 out 0 0 in 1", "e1 out 0 in 0 1"),
        (r"^e1 out 0 0 in 1", "b1 out 0 v=-max(v(in),-0.25)"),
        (r"^e1 out 0 0 in 1", "e1 o 0 0 in 1\nr1 o out 1"),
        (r"^vm m 0 0", "vm m 0 1m"),
        (r"^h1 out 0 vm \{0-r_f\}", "h1 out 0 vm {r_f}"),
        (r"^h1 out 0 vm \{0-r_f\}", "h1 out 0 vm {0-1.0001*r_f}"),
        (r"^h1 out 0 vm \{0-r_f\}", "h1 o 0 vm {0-r_f}\nb1 out 0 v=min(v(o),0.26)"),
        (MAX, "b1 o 0 v={max(max(v(x0),v(x1)),v(x2))}\nr1 o out 10"),
    ),
]  # fmt: skip

FILES = [
    *in_a(TOP, "lvs", (r"^\.include .*dense.*\n", ""), (r"^\.include .*periphery.*\n", "")),
    *in_a(
        TOP, "reader",
        (r"^(\.include .*dense.*\n)", r"\1\1"),
        (r"^(\.include) .*dense.*", r"\1 /etc/hostname"),
        (r"^(\.include) .*dense.*", r'\1 "cells/../../design.json"'),
        (r"^(\.include) .*dense.*", r"\1 cells/none.cir"),
    ),
    *in_a(
        PERIPHERY, "reader",
        (r"^(\.ends tia)", r".control" "\nshell true\n.endc\n" r"\1"),
        (r"^(\.ends tia)", r"*# shell true" "\n" r"\1"),
        (r"^(\.ends tia)", r"a1 p out gain" "\n" r"\1"),
        (r"^(\.ends tia)", r".options gmin=1" "\n" r"\1"),
        (r"^(\.ends tia)", r"xq p m nothing" "\n" r"\1"),
        (r"^(\.ends tia)", r"xq p m out tia r_f=1" "\n" r"\1"),
        (r"^\.ends tia", ".ends relu0"),
    ),
]  # fmt: skip

TABLES = [
    *in_a(
        SCHEDULE, "lvs",
        (r"^(s00_conv,0,q0_0_0_0,)n0_0", r"\1n0_1"),
        (r"^(s00_conv,0,q0_0_0_0,)n0_0", r"\g<1>0"),
        (r"^s00_conv,3,q0_0_0_2,n0_8,3,1\n", ""),
        (r"^(s00_conv,3,q0_0_0_2,n0_8,3,1\n)", r"\1\1"),
        (r"^s00_conv,3,(q0_0_0_2,n0_8)", r"s00_conv,2,\1"),
        (r"^(s00_conv,0,n1_0,n1_0),6,1", r"\1,5,1"),
        (r"^(s00_conv,0,n1_0,n1_0),6,1", r"\1,6,2"),
        (r"^s00_conv,0,n1_0,n1_0,6,1\n", ""),
        (r"^(s00_conv,0),n1_0,n1_0,6", r"\1,n1_6,n1_0,6"),
        (r"\Z", "s00_conv,6,q0_0_0_0,n0_0,1,0\n"),
    ),
    *in_a(SCHEDULE, "reader", (r"^stage,period", "period,stage"), (",n0_8,3,1$", ",n0_8,3,1,n0_9")),
    *in_a(
        MAPPING, "lvs",
        ("q0_0_0_0,p1_0", "q0_0_0_1,p1_0"),
        ("q0_0_0_0,p1_0", "q0_0_0_0,m1_0"),
        ("^s04_dense.*\n", ""),
        (",xb1,", ",xb0,"),
        ("left$", "both"),
        (r"memristor,(\d+),(\d+)", r"memristor,\2,\1"),
        ("s00_conv.cir", "s04_dense.cir"),
    ),
]  # fmt: skip

#: The same circuit, said otherwise.
NOTHING = [
    *in_a(
        FIRST, "",
        (r"^(R1_1) w1 c1", r"\1 c1 w1"),
        (r"^(R1_2 .*\n)(R1_3 .*\n)", r"\2\1"),
        (r"^(R1_1 .*\n)", r"* a note" "\n" r"\1"),
    ),
    *in_a(
        TOP, "",
        (r"^(xf2_3) n1_3", r"\1" "\n+ n1_3"),
        (r"^(xl3_1 .*clip)=.*", r"\1=0.25"),
        (r"vbias0 at \S+", "vbias0 at 0.2"),
    ),
    *in_a(
        PERIPHERY, "",
        (r"^e1 a 0 0 p 1.*", "e1 a 0 0 p 100000"),
        (r"^(e2 .*\n)(r3 .*\n)", r"\2\1"),
        (r"^e2 .*", "b2 out 0 v=-1e5*v(m)"),
        (r"^(e2 .*)", r"\1" "\nc1 out m 1p\nr9 out 0 1e3"),
        # The feedback takes it from behind this source, whatever that adds.
        (r"^e2 .*", "e2 o 0 0 m 1e5\nb9 out 0 v=v(o)+1e-3*max(v(o)-0.4,0)"),
        (LIMITER, "b1 out 0 v=max(min(v(in),{clip}),{0-clip})"),
        (RELU, "b1 out 0 v={0.5*(v(x0)+abs(v(x0)))}"),
        # An ideal source and what takes no current do not feel a load.
        (RELU, "b1 o 0 v=max(v(x0),0)\nr1 o out 100\nr2 x0 0 1e3"),
        (MAX, "b1 out 0 v=max(v(x2),max(v(x1),v(x0)))"),
        (rf"{RELU}\n\n\.ends relu0",
         "xh x0 out half\n.ends relu0\n.subckt half a b\nb1 b 0 v=max(v(a),0)\n.ends half"
         "\n.subckt spare a b\nr1 a b 1\n.ends spare"),
    ),
    *in_b(PERIPHERY, "", (r"^e1 out 0 0 in 1", "b1 out 0 v=-v(in)")),
]  # fmt: skip

EVERY = [*DEVICES, *INSTANCES, *HEAD, *CELLS, *FILES, *TABLES, *NOTHING]


@pytest.fixture(scope="module")
def circuits(tmp_path_factory):
    """Conv, relu, max pool, dense on (3, 4); the second output is the first one turned round."""
    place = tmp_path_factory.mktemp("faults")
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], name="conv"),
        node("Relu", ["c"], ["r"], name="relu"),
        node("MaxPool", ["r"], ["p"], name="pool", kernel_shape=[1, 3]),
        node("Flatten", ["p"], ["f"], name="flat"),
        node("Gemm", ["f", "v", "a"], ["y"], name="dense"),
        node("Gather", ["y", "i"], ["z"], name="turn", axis=1),
    ]
    rng = np.random.default_rng(3)
    shapes = {"w": (2, 1, 2, 2), "b": (2,), "v": (4, 3), "a": (3,)}
    values = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    values["i"] = np.array([2, 0, 1])
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 3, 4))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3)) for name in "yz"],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )  # fmt: skip
    model = place / "net.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), model)
    np.savez(place / "net.samples.npz", x=rng.uniform(-1, 1, (3, 1, 3, 4)))
    made = {
        "a": [
            "-t",
            "paper-128",
            "--stage-set",
            "conv.schedule=sequential",
            "--stage-set",
            "relu.schedule=parallel",
        ],
        "b": ["-t", "ideal", "--signed", "inverted-inputs"],
    }
    for name, options in made.items():
        args = ["compile", str(model), "-o", str(place / name), "--quiet", *options]
        assert _main._run(args) == 0
    return {name: read.load(place / name) for name in made}


def finder(loaded):
    """Who finds that something is wrong with a folder; "" for nobody."""
    try:
        netlist = netlist_reader.read_folder(loaded.folder / "netlist")
        if compare_folder(loaded.design, loaded.folder, None, netlist).differences:
            return "lvs"
    except MemxcError as error:
        return "reader" if error.exit_code == 3 else "an engine"
    plan = verify.Plan(engine="neospice")
    found = verify.verify(loaded.design, loaded.target, netlist, loaded.samples, None, plan)
    return "" if found.ok else "verify"


def test_the_circuits_are_right(circuits):
    assert [finder(loaded) for loaded in circuits.values()] == ["", ""]


def test_there_are_enough_faults():
    assert len(set(EVERY)) == len(EVERY)
    assert len(EVERY) - len(NOTHING) > 78


@pytest.mark.parametrize("fault", EVERY, ids=lambda f: f"{f.circuit}-{f.file[-9:-4]}-{f.new[:30]}")
def test_a_single_fault(circuits, fault):
    loaded = circuits[fault.circuit]
    path = loaded.folder / fault.file
    whole = path.read_text()
    text, count = re.subn(fault.old, fault.new, whole, count=1, flags=re.M)
    assert count == 1
    assert text != whole
    path.write_text(text)
    try:
        assert finder(loaded) == fault.found
    finally:
        path.write_text(whole)
