"""Seeded chance: generators, the users' hashes, and draws that numpy does not bring along."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steamlab.simulator.params import HOUR, week_profile

__all__ = ["Floats", "Ints", "arrival_times", "generator", "hash01", "lognormal", "mix"]

Floats = NDArray[np.float64]
Ints = NDArray[Any]


def generator(seed: int, *path: int) -> np.random.Generator:
    """Return the generator of one place in the plan; other places never share its numbers."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence((seed, *path))))


def mix(numbers: ArrayLike, *, salt: int) -> NDArray[np.uint64]:
    """Scramble whole numbers, one to one (splitmix64): the same salt never maps two to one."""
    z = np.asarray(numbers).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64(salt * 0xD1B54A32D192ED03 % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def hash01(numbers: ArrayLike, *, salt: int) -> Floats:
    """Return one fixed number in [0, 1) for each whole number."""
    return np.asarray((mix(numbers, salt=salt) >> np.uint64(11)) * 2.0**-53)


def lognormal(rng: np.random.Generator, median: float, sigma: float, size: int) -> Floats:
    """Draw from the lognormal distribution with this median."""
    return np.asarray(median * np.exp(sigma * rng.standard_normal(size)))


def arrival_times(rng: np.random.Generator, rate: float, begin: float, end: float) -> Floats:
    """Draw the sorted minutes of a Poisson process that follows the week's profile.

    Minutes count from a Monday 00:00; `rate` is the mean a minute over a week.
    """
    first, last = np.floor(begin / HOUR), np.ceil(end / HOUR)
    edges = np.arange(first, last + 1) * HOUR
    weight = week_profile()[np.arange(first, last).astype(np.int64) % 168] * HOUR * rate
    expected = np.concatenate([[0.0], np.cumsum(weight)])
    low, high = np.interp([begin, end], edges, expected)
    draws = np.sort(rng.uniform(low, high, rng.poisson(high - low)))
    return np.asarray(np.interp(draws, expected, edges))
