"""Random numbers by address, so that no draw changes when something else is drawn.

A stream is (seed, effect, stage, crossbar of the stage, group). It uses numpy's Philox, whose
numbers are a function of a key and a counter. The key is a hash of the first four, the group is a
word of the counter, and each place has its own section of the counter, long enough for every cell
of the crossbar. So the draws of a place depend neither on the number of places nor on any other
effect or stage.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]

#: Number of 64-bit numbers that Philox gives for one step of its counter.
_BLOCK = 4


@dataclass(frozen=True)
class Stream:
    """The draws of one effect in one crossbar of a stage."""

    seed: int
    effect: str
    stage: str
    crossbar: int

    def uniform(self, group: int, places: slice, count: int) -> Floats:
        """Return numbers in the open interval (0, 1), (places, count), for one group."""
        blocks = -(-count // _BLOCK)
        generator = np.random.Philox(key=self._key(), counter=[places.start * blocks, group, 0, 0])
        raw = generator.random_raw((places.stop - places.start) * blocks * _BLOCK)
        # 52 bits, because with 53 the largest number would round to 1.
        numbers = ((raw >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
        return np.asarray(numbers.reshape(-1, blocks * _BLOCK)[:, :count])

    def _key(self) -> NDArray[np.uint64]:
        words = (self.seed, self.effect, self.stage, self.crossbar)
        # With repr, different addresses have different texts, for any name of a stage.
        digest = hashlib.sha256(repr(words).encode("utf-8", "surrogatepass")).digest()
        return np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)


def normal(uniform: Floats) -> Floats:
    """Return standard normal numbers for uniform ones in (0, 1); their magnitude is below 8.2."""
    return np.asarray(ndtri(uniform))
