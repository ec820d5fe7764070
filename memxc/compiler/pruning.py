"""Turn --prune METHOD:AMOUNT into passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from memxc import passes
from memxc.analysis import prune
from memxc.errors import Fault, MemxcError, like
from memxc.interfaces import Pass

#: For each method the pass, its options, and the option that the amount sets.
METHODS: dict[str, tuple[str, dict[str, object], str]] = {
    "ckf": ("prune-ckf", {}, "share"),
    "ckf-layer": ("prune-ckf", {"scope": "layer"}, "share"),
    "ckf-samples": ("prune-ckf", {"score": "samples"}, "share"),
    "ckf-multiplications": (
        "prune-ckf", {"score": "samples", "count": "multiplications"}, "share"
    ),
    "ckf-threshold": ("prune-ckf", {}, "threshold"),
    "ckf-loss": ("prune-ckf", {"score": "samples"}, "loss"),
    "crossbar-bn": ("prune-lines", {"unit": "crossbar", "score": "bn"}, "share"),
}  # fmt: skip
for _unit in ("crossbar", "word-line", "bit-line"):
    METHODS[_unit] = ("prune-lines", {"unit": _unit}, "share")
    METHODS[f"{_unit}-samples"] = ("prune-lines", {"unit": _unit, "score": "samples"}, "share")
    METHODS[f"{_unit}-loss"] = ("prune-lines", {"unit": _unit, "score": "samples"}, "loss")


def parse(text: str, refit: bool = False) -> Pass:
    """The pass for METHOD:AMOUNT.

    refit: fit the weights that are left to the samples. Raises ValueError, with a sentence, for a
    text of another form.
    """
    method, _, amount = text.partition(":")
    if method not in METHODS:
        near = like(method, METHODS)
        what = f"there is no method {method!r}{f' ({near})' if near else ''}"
        raise ValueError(f"{what}; methods are {', '.join(METHODS)}")
    try:
        value = float(amount)
    except ValueError:
        raise ValueError(f"give an amount, {method}:AMOUNT") from None
    name, fixed, key = METHODS[method]
    prune.check_amount(key, value)
    rest = "refitted" if refit else "kept"
    return passes.available()[name](**{**fixed, key: value, "rest": rest})


def checked(text: str) -> str:
    """The text as it is, METHOD:AMOUNT. Raises ValueError as `parse` does."""
    parse(text)
    return text


def passes_for(texts: Iterable[str], refit: bool = False) -> list[Pass]:
    """The passes for several texts METHOD:AMOUNT.

    refit: fit the weights that are left to the samples. Raises MemxcError (usage) with all faults.
    """
    found, faults = [], []
    for text in texts:
        try:
            found.append(parse(text, refit))
        except ValueError as error:
            faults.append(Fault("usage", f"--prune {text}", str(error), "for example ckf:0.5"))
    if faults:
        raise MemxcError(faults)
    return found


@contextmanager
def as_asked(change: Pass, texts: Iterable[str], refit: bool) -> Iterator[None]:
    """In faults, replace the name of a pass by the option --prune that asked for it, if one did."""
    try:
        yield
    except MemxcError as error:
        options = (f"--prune {text}" for text in texts if parse(text, refit) == change)
        name = next(options, change.name)
        raise MemxcError(
            replace(fault, where=name) if fault.where == change.name else fault
            for fault in error.faults
        ) from error


def before_folding(change: Pass) -> bool:
    """Whether a pass needs the batch normalisations, so that it runs before fold-batchnorm."""
    return change.options().get("score") == "bn"
