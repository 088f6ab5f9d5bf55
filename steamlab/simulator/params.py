"""The calibrated numbers behind the store's visitors, read from `data/simulator.json`.

Where they come from, and which targets they meet, stands in `data/README.md`.
"""

from __future__ import annotations

import functools

import msgspec
import numpy as np
from msgspec import field
from numpy.typing import NDArray

from steamlab.settings import data_path

__all__ = ["DAY", "HOUR", "PERSONAS", "WEEK", "Params", "params", "week_profile"]

HOUR, DAY, WEEK = 60.0, 1440.0, 10080.0  # the planner counts in minutes
PERSONAS = ("browser", "researcher", "buyer")

PerPersona = tuple[float, float, float]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of profile A; rates are per minute at scale 1, times in minutes."""

    persona_share: PerPersona = field(name="share")
    views_per_visit: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] = field(name="views")
    visits_per_minute: float = field(name="lam")
    users: int
    wish: PerPersona = field(name="w")
    direct_add: PerPersona = field(name="d")
    second_direct_add: float = field(name="b")
    wish_converts: PerPersona = field(name="c")
    checkout: PerPersona = field(name="k")
    converts_same_visit: PerPersona = field(name="same")
    converts_in_hours: PerPersona = field(name="fast")
    hours_median: float = field(name="fast_med")
    hours_sigma: float = field(name="fast_sig")
    days_median: float = field(name="long_med")
    days_sigma: float = field(name="long_sig")
    cart_removed: float = field(name="rem_cart")
    wish_removed: float = field(name="rem_wish")
    views_from_search: float = field(name="src_search")
    search_effectiveness: float = field(name="e_search")
    games: int = field(name="G")
    popularity_exponent: float = field(name="zipf")
    free_games: tuple[int, ...] = field(name="free")
    lifetime_weeks: int = field(name="life")


@functools.cache
def params() -> Params:
    """Return the calibrated parameters."""
    return msgspec.json.decode(data_path("simulator.json").read_bytes(), type=Params)


# How busy the store is, hour by hour (UTC); the evening peak stands out on every day.
_WEEKDAY = (
    0.55, 0.40, 0.28, 0.20, 0.18, 0.20, 0.28, 0.40, 0.55, 0.68, 0.80, 0.90,
    1.00, 1.02, 1.02, 1.06, 1.15, 1.32, 1.58, 1.85, 2.00, 1.92, 1.50, 0.95,
)  # fmt: skip
_WEEKEND = (
    0.80, 0.60, 0.42, 0.30, 0.22, 0.22, 0.26, 0.36, 0.55, 0.82, 1.05, 1.22,
    1.32, 1.38, 1.42, 1.45, 1.48, 1.55, 1.70, 1.88, 1.98, 1.90, 1.58, 1.10,
)  # fmt: skip
_WEEKEND_LIFT, _FRIDAY_EVENING = 1.30, 1.12


@functools.cache
def week_profile() -> NDArray[np.float64]:
    """Return the 168 hourly weights of a week that begins on Monday 00:00 UTC, mean 1."""
    weekday = np.array(_WEEKDAY) / np.mean(_WEEKDAY)
    weekend = np.array(_WEEKEND) / np.mean(_WEEKEND) * _WEEKEND_LIFT
    week = np.concatenate([weekday] * 5 + [weekend] * 2)
    week[4 * 24 + 18 : 5 * 24] *= _FRIDAY_EVENING
    return np.asarray(week / week.mean())
