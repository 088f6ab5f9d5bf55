"""What shakes the store out of its routine: a sale, a streamer, a release, a bot, an outage.

Off by default: the store's calibrated rates are those of ordinary weeks. Every event that a shock
adds or moves carries the shock's name in the truth labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from steamlab.catalog import catalog
from steamlab.errors import LessonError

__all__ = ["LABELS", "Bot", "Outage", "Release", "Sale", "Shock", "Streamer", "game_index"]

LABELS = ("", "sale", "streamer", "release", "bot", "outage")


def game_index(game: str) -> int:
    """Return a game's place in the catalogue; raise `LessonError` where there is none."""
    games = [each.game_id for each in catalog()]
    if game not in games:
        raise LessonError(
            f"The catalogue has no game {game!r}.",
            repair=f"Take one from {games[0]} to {games[-1]}.",
        )
    return games.index(game)


@dataclass(frozen=True, kw_only=True)
class Sale:
    """Mark games down by `percent` for some days: more views, quicker hands, woken wishlists.

    Views of these games come `lift` times as often, direct cart adds `direct` times; `wakes` of
    those who have one on the wishlist come back for it within 48 hours.
    """

    label: ClassVar[int] = 1
    games: tuple[str, ...]
    at_day: float
    percent: int = 50
    days: float = 7.0
    lift: float = 2.5
    direct: float = 2.0
    wakes: float = 0.10

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Tell for each game of the catalogue whether it is in the sale."""
        mask = np.zeros(len(catalog()), bool)
        mask[[game_index(game) for game in self.games]] = True
        return mask


@dataclass(frozen=True, kw_only=True)
class Streamer:
    """Play a game in front of an audience: its views climb to `factor` times, then halve."""

    label: ClassVar[int] = 2
    game: str
    at_day: float
    factor: float = 30.0
    ramp_minutes: float = 20.0
    half_life_hours: float = 3.0


@dataclass(frozen=True, kw_only=True)
class Release:
    """Bring a game out: no views at all before, a crowd after, thinning by a power law."""

    label: ClassVar[int] = 3
    game: str
    at_day: float
    factor: float = 30.0
    exponent: float = 0.8


@dataclass(frozen=True, kw_only=True)
class Bot:
    """Let one user look at one game again and again: many views, one viewer."""

    label: ClassVar[int] = 4
    game: str
    at_day: float
    views: int = 300
    minutes: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Outage:
    """Let nothing arrive for some minutes; then it all comes in a burst, late."""

    label: ClassVar[int] = 5
    at_day: float
    minutes: float = 10.0


Shock: TypeAlias = Sale | Streamer | Release | Bot | Outage
