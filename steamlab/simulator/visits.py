"""Who comes to the store when, which pages they look at, and what they reach for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steamlab.simulator.chance import Floats, Ints, arrival_times, lognormal
from steamlab.simulator.world import World

__all__ = [
    "BUY",
    "DWELL_MEDIAN",
    "WISH_FOR",
    "Views",
    "Visits",
    "choose",
    "draw_views",
    "draw_visits",
    "users_at",
]

DWELL_MEDIAN, DWELL_SIGMA = 0.9, 0.7  # minutes on one page
WISH_FOR, BUY = 1, 2  # choices at a page: onto the wishlist, into the cart


@dataclass(frozen=True, slots=True)
class Visits:
    """One row a visit: users as numbers within their shard."""

    time: Floats
    user: Ints
    persona: NDArray[np.uint8]
    pages: Ints
    number: Ints

    def __len__(self) -> int:
        return len(self.time)


@dataclass(slots=True)
class Views:
    """One row a page view; `choice` is what the visitor does about the game."""

    time: Floats
    user: Ints
    persona: NDArray[np.uint8]
    game: NDArray[np.int16]
    visit: Ints
    choice: NDArray[np.uint8]
    shock: NDArray[np.uint8]

    def where(self, mask: Ints) -> Views:
        """Return some of the views."""
        return Views(*(column[mask] for column in self._columns()))

    def joined(self, more: Views) -> Views:
        """Return these views and more."""
        both = zip(self._columns(), more._columns(), strict=True)
        return Views(*(np.concatenate(pair) for pair in both))

    def _columns(self) -> tuple[Ints, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)


def draw_visits(
    world: World, rng: np.random.Generator, *, shard: int, begin: float, end: float, first: int
) -> Visits:
    """Draw the ordinary visits of a time span, numbered from `first`."""
    rate = world.params.visits_per_minute * world.shard_scale
    times = arrival_times(rng, rate, begin, end)
    users = users_at(world, rng, times)
    persona = world.persona(users * world.shards + shard)
    low, high = np.array(world.params.views_per_visit).T
    pages = low[persona] + (rng.random(len(times)) * (high - low + 1)[persona]).astype(np.int64)
    return Visits(times, users, persona, pages, first + np.arange(len(times)))


def users_at(world: World, rng: np.random.Generator, times: Floats) -> Ints:
    """Draw a user for each time; the window of users slides, so nobody stays for ever."""
    place = rng.random(len(times)) + world.age(times)
    return np.asarray((place * world.users_per_shard).astype(np.int64))


def draw_views(world: World, rng: np.random.Generator, visits: Visits) -> Views:
    """Draw the pages of the visits and the choice made at each."""
    visit = np.repeat(np.arange(len(visits)), visits.pages)
    time = np.repeat(visits.time, visits.pages) + _elapsed(rng, visits.pages)
    game = _pick_games(world, rng, visit)
    persona = visits.persona[visit]
    choice = choose(world, rng, visit=visit, persona=persona, game=game, time=time)
    shock = np.zeros(len(visit), np.uint8)
    return Views(time, visits.user[visit], persona, game, visits.number[visit], choice, shock)


def _elapsed(rng: np.random.Generator, pages: Ints) -> Floats:
    """Minutes since the visit's first page."""
    first = np.cumsum(pages) - pages
    dwell = lognormal(rng, DWELL_MEDIAN, DWELL_SIGMA, int(pages.sum()))
    elapsed = np.cumsum(dwell)
    return np.asarray(elapsed - np.repeat(elapsed[first], pages))


def _pick_games(world: World, rng: np.random.Generator, visit: Ints) -> NDArray[np.int16]:
    """Games by popularity; one seen before in the visit is drawn once more."""
    game = world.guide[rng.integers(0, len(world.guide), len(visit))]
    seen = np.zeros(len(visit), bool)
    for lag in range(1, max(high for _, high in world.params.views_per_visit)):
        seen[lag:] |= (game[lag:] == game[:-lag]) & (visit[lag:] == visit[:-lag])
    game[seen] = world.guide[rng.integers(0, len(world.guide), int(seen.sum()))]
    return game


def choose(
    world: World,
    rng: np.random.Generator,
    *,
    visit: Ints,
    persona: Ints,
    game: Ints,
    time: Floats,
) -> NDArray[np.uint8]:
    """Choose at each page: onto the wishlist, straight into the cart (rarely two a visit), or 0."""
    wish = np.array(world.params.wish)
    direct = np.array(world.params.direct_add)[persona]
    for number, sale in enumerate(world.sales, start=1):
        direct = np.where(world.offer(game, time) == number, direct * sale.direct, direct)
    roll = rng.random(len(visit))
    free = np.isin(game, world.params.free_games)
    choice = np.where(roll < wish[persona], WISH_FOR, 0).astype(np.uint8)
    buys = ~free & (choice == 0) & (roll < wish[persona] + (1 - wish[persona]) * direct)
    at = np.flatnonzero(buys)
    again = np.zeros(len(at), bool)
    again[1:] = visit[at[1:]] == visit[at[:-1]]
    at = at[~again | (rng.random(len(at)) < world.params.second_direct_add)]
    choice[at] = BUY
    return choice
