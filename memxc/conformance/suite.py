"""ONNX's backend test suite on MemxcBackend, judged by ONNX's own runner.

A case without a circuit is skipped with its reason; an exception never passes it. An answer counts
only if stages of the Design computed it from a run-time input, which backend.circuit checks.
"""

from __future__ import annotations

import re
import unittest
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import onnx  # noqa: TID251
from onnx.backend.test import BackendTest  # noqa: TID251

from memxc.conformance.backend import CompiledCase, MemxcBackend, MemxcRep
from memxc.errors import MemxcError

#: Cases with an answer that no circuit can give.
_IMPOSSIBLE = {
    "test_operator_sqrt": "the root of a negative number is not a number, but a circuit gives 0"
}
#: ONNX's names of the kinds of cases. `Real`, whole networks with invented weights, is left out.
KINDS = ("Node", "Simple", "PyTorchConverted", "PyTorchOperator")


@dataclass(frozen=True, eq=False)
class Case:
    """One case and its outcome.

    operators: those of the model as ONNX wrote it. reason: why it was skipped or failed. circuit:
    what computed the answers of a passed case.
    """

    name: str
    kind: str
    operators: frozenset[str]
    outcome: Literal["passed", "skipped", "failed"]
    reason: str
    circuit: CompiledCase | None


class _Rep(MemxcRep):
    """A model that is skipped, with the text of the fault, if it has no circuit."""

    def circuit(self, inputs: Any) -> CompiledCase:
        try:
            _Suite.last = super().circuit(inputs)
        except MemxcError as error:
            raise unittest.SkipTest(error.faults[0].what) from error
        return _Suite.last


class _Suite(MemxcBackend):
    """Keeps the model and the circuit of the case that runs."""

    model: ClassVar[onnx.ModelProto | None] = None
    last: ClassVar[CompiledCase | None] = None

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **_: Any) -> MemxcRep:
        cls.model = model
        return _Rep(model)


def run(progress: Callable[[int, int], None] = lambda done, total: None) -> list[Case]:
    """Run every CPU case except whole networks, in the order of kind and name."""
    with warnings.catch_warnings():
        # The suite's own cases divide by zero and overflow on purpose.
        warnings.simplefilter("ignore")
        runner = BackendTest(_Suite, __name__)
        for name in _IMPOSSIBLE:
            runner.exclude(f"^{name}_cpu$")
        classes = runner.test_cases
        tests = [
            (kind, test)
            for kind in KINDS
            for test in _tests(classes[f"OnnxBackend{kind}ModelTest"])
        ]
        cases = []
        for done, (kind, test) in enumerate(tests):
            progress(done, len(tests))
            cases.append(_case(kind, test))
    return cases


def _tests(cases: type[unittest.TestCase]) -> Iterator[unittest.TestCase]:
    for name in unittest.defaultTestLoader.getTestCaseNames(cases):
        if name.endswith("_cpu"):
            yield cases(name)


def _case(kind: str, test: unittest.TestCase) -> Case:
    _Suite.model = _Suite.last = None
    result = unittest.TestResult()
    test.run(result)
    name = test.id().rpartition(".")[2].removesuffix("_cpu")
    model: onnx.ModelProto = _Suite.model or onnx.ModelProto()
    operators = frozenset(node.op_type for node in model.graph.node)
    for _, words in (*result.failures, *result.errors):
        return Case(name, kind, operators, "failed", words.strip().splitlines()[-1], None)
    for _, reason in result.skipped:
        words = _IMPOSSIBLE.get(name, reason)
        return Case(name, kind, operators, "skipped", words, None)
    return Case(name, kind, operators, "passed", "", _Suite.last)


def general(reason: str) -> str:
    """Return a reason without one case's names and numbers, so that equal reasons are equal."""
    return re.sub(r"\[[\d, ]*\]", "[...]", re.sub(r"'[^']*'", "'...'", reason))
