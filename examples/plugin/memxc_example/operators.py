"""Asinh, an operator for which memxc itself has no circuit."""

from memxc.interfaces import Call, Circuit, Parts, each, operator


@operator("Asinh", since=9)
def asinh(call: Call) -> Parts:
    """The logarithm of a sum: one block each for the square, the root and the logarithm."""
    circuit = Circuit("asinh", opamps=3, multipliers=1)
    return [each(call, "ln(x0+sqrt(x0*x0+1))", circuit)]
