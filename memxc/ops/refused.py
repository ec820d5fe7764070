"""Operators that occur in networks and have no circuit, each with its reason."""

from __future__ import annotations

from memxc.ops._registry import refused

_CUT = "cut the network there, compile its parts, and leave this to a processor between them"

refused(
    "NonMaxSuppression",
    "NonZero",
    "TopK",
    "Unique",
    reason="it sorts or picks, so that what is wired where depends on the input at run time",
    hint=_CUT,
)
refused(
    "AffineGrid",
    "DeformConv",
    "GridSample",
    "MaxRoiPool",
    "MaxUnpool",
    "RoiAlign",
    reason="it samples where the input says at run time, so that no wire is right for every input",
    hint=_CUT,
)
refused(
    "DynamicQuantizeLinear",
    reason="its scale is that of the input at run time, and a converter has one for good",
    hint="quantise with fixed scales (QuantizeLinear), as static quantisation does",
)
refused(
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    reason="it draws at random, and a circuit gives the same for the same input",
    hint="export the model for inference",
)
refused(
    "Cos",
    "Mod",
    "Sin",
    "Tan",
    reason="it repeats for ever larger signals, which a few amplifiers cannot",
    hint=_CUT,
)
