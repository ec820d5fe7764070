"""Which nodes stay digital: by hand, on graphs of a few nodes."""

from __future__ import annotations

import numpy as np
import pytest

from memxc.errors import MemxcError
from memxc.ir.graph import Graph, Node
from memxc.ops._islands import islands
from memxc.ops.lower import islands_of


def graph(*nodes, outputs, shapes, kinds=None, weights=()):
    """nodes: "y = Op(a, b)"; the shapes of all tensors; x is the input."""
    made = []
    for text in nodes:
        head, _, rest = text.partition(" = ")
        op, _, reads = rest.rstrip(")").partition("(")
        outs = tuple(head.split(", "))
        made.append(Node(outs[0], op, tuple(reads.split(", ")), outs))
    found = Graph(
        "net", ("x",), tuple(outputs.split()), tuple(made),
        shapes | dict.fromkeys(weights, (2,)),
        {name: np.ones(2, np.float32) for name in weights}, 17, kinds or {},
    )  # fmt: skip
    found.verify()
    return found


def chosen(net, digital, crossbars=()):
    number = {node.name: index for index, node in enumerate(net.nodes)}
    found = islands(net, [number[name] for name in digital], [number[name] for name in crossbars])
    return [
        (" ".join(net.nodes[n].name for n in part.nodes), part.adcs, part.dacs) for part in found
    ]


WIDE = dict.fromkeys("xabcdefg", (1, 6))


def test_an_operator_between_two_islands_joins_them():
    net = graph(
        "a = Gemm(x)", "b = Cos(a)", "c = Relu(b)", "d = Sin(c)", "e = Gemm(d)",
        outputs="e", shapes=WIDE,
    )  # fmt: skip
    assert chosen(net, "bd", "ae") == [("b c d", 6, 6)]
    # A crossbar between them stays one.
    assert chosen(net, "bd", "ace") == [("b", 6, 6), ("d", 6, 6)]


def test_operators_that_hang_together_join_as_a_whole():
    net = graph(
        "a = Gemm(x)", "b = Cos(a)", "c = Relu(b)", "d = Tanh(c)", "e = Sin(d)", "f = Gemm(e)",
        outputs="f", shapes=WIDE,
    )  # fmt: skip
    # Neither Relu nor Tanh alone would take fewer converters.
    assert chosen(net, "be", "af") == [("b c d e", 6, 6)]


def test_an_operator_that_makes_fewer_numbers_joins_and_one_that_makes_more_does_not():
    shapes = WIDE | {"c": (1, 2), "d": (1, 9)}
    net = graph("a = Gemm(x)", "b = Cos(a)", "c = Pool(b)", "d = Grow(c)", "e = Gemm(d)",
                outputs="e", shapes=shapes)  # fmt: skip
    assert chosen(net, "b", "ae") == [("b c", 6, 2)]


def test_integers_never_cross_a_border():
    kinds = {"c": "int64", "d": "int64"}
    net = graph("a = Gemm(x)", "b, c = TopK(a, k)", "d = Add(c, o)", "e = Gather(t, d)",
                "f = Gemm(e)", outputs="f b", shapes=WIDE, kinds=kinds, weights="kot")  # fmt: skip
    # b is an output of the network, which is digital data and takes no converter.
    assert chosen(net, "b", "af") == [("b d e", 6, 6)]


def test_a_network_ends_and_begins_in_an_island_without_converters():
    net = graph("a = Cos(x)", "b = Gemm(a)", "c = Sin(b)", "d = Relu(c)",
                outputs="d", shapes=WIDE)  # fmt: skip
    assert chosen(net, "ac", "b") == [("a", 0, 6), ("c d", 6, 0)]


def test_an_island_never_waits_for_itself():
    # d reads b directly, and by a crossbar that needs b first.
    net = graph("a = Gemm(x)", "b = Cos(a)", "c = Gemm(b)", "d = Mod(b, c)", "e = Gemm(d)",
                outputs="e", shapes=WIDE)  # fmt: skip
    assert chosen(net, "bd", "ace") == [("b", 6, 6), ("d", 6, 6)]


def test_names_are_those_of_nodes_and_of_operators():
    net = graph("a = Relu(x)", "b = Relu(a)", "c = Tanh(b)", outputs="c", shapes=WIDE)
    # Tanh joins the two Relus: the network ends there, and takes no converter.
    assert [part.nodes for part in islands_of(net, ("Relu",))] == [(0, 1, 2)]
    with pytest.raises(MemxcError) as caught:
        islands_of(net, ("Rely", "b", "y"))
    assert [fault.where for fault in caught.value.faults] == ["--digital Rely", "--digital y"]
