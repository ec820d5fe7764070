"""What the pruning passes share: the check of their options, and the search for a wanted loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from memxc.errors import Fault, MemxcError, fail
from memxc.evaluation.losses import Judge
from memxc.evaluation.samples import Samples
from memxc.interfaces import Context, Pass, Result
from memxc.ir.graph import Graph
from memxc.ops.lower import lower

#: What a pass does with the weights that stay.
Rest = Literal["kept", "refitted"]
#: For a wanted loss, the share is chosen in steps of one in so many.
_STEPS = 512


def check_amount(key: str, value: float) -> None:
    """Raise ValueError, with a sentence, if a pruning pass cannot have an amount.

    A threshold is above 0. A share and a loss are also below 1.
    """
    if not 0 < value < (math.inf if key == "threshold" else 1.0):
        words = "above 0" if key == "threshold" else "above 0 and below 1"
        raise ValueError(f"{key} = {value:g} is not {words}")


def check_amounts(change: Pass, amounts: tuple[str, ...], ctx: Context) -> tuple[str, ...]:
    """Raise MemxcError (usage) unless exactly one of the amounts is given, and makes sense.

    Return a warning if the pruning scores come from generated samples.
    """
    options = change.options()
    given = {key: float(str(options[key])) for key in amounts if options[key]}
    faults = []
    if len(given) != 1:
        what = "exactly one is above 0" if given else "one of them is above 0"
        faults.append(Fault("usage", f"{change.name}: {', '.join(amounts)}", what))
    for key, value in given.items():
        try:
            check_amount(key, value)
        except ValueError as error:
            faults.append(Fault("usage", change.name, str(error)))
    if faults:
        raise MemxcError(faults)
    by_samples = (options["loss"], options["score"] == "samples", options["rest"] == "refitted")
    if ctx.assumed_inputs and any(by_samples):
        return (
            f"{change.name} ranks by random inputs, which say little about what can be pruned; "
            "give real ones with --samples",
        )
    return ()


def most(
    graph: Graph, pruned: Callable[[float], Graph], loss: float, ctx: Context
) -> Result[Graph]:
    """Return the graph pruned by the largest share that loses at most `loss`: a binary search.

    The loss may fall although the share grows, so a larger share that would do can be missed.
    """
    if not ctx.samples:
        raise fail("usage", "samples", "a wanted loss needs some, and there are none")
    before = lower(graph)
    judge = Judge(ctx.judged or Samples(ctx.samples, None), before)
    answers = judge.answers(before)
    good, bad, best = 0, _STEPS, graph
    while bad - good > 1:
        middle = (good + bad) // 2
        candidate = pruned(middle / _STEPS)
        # A loss of NaN is not below any limit.
        if judge.loss(judge.answers(lower(candidate)), answers).lost <= loss:
            good, best = middle, candidate
        else:
            bad = middle
    return Result(best, tuple(filter(None, [judge.too_coarse(loss)])))
