"""Turn visits into page views with their sources, and into the searches before them."""

from __future__ import annotations

import numpy as np

from steamlab.simulator.chance import Floats, Ints
from steamlab.simulator.journeys import Outcome
from steamlab.simulator.queries import HITS_PER_GAME, first_miss, queries
from steamlab.simulator.rows import EVENT, SEARCH, SOURCES, VIEW, Table, join, table
from steamlab.simulator.visits import Views, Visits
from steamlab.simulator.world import World

__all__ = ["pages"]

_SEARCH, _WISHLIST, _DIRECT = (SOURCES.index(s) for s in ("search", "wishlist", "direct"))
# How people who did not search find a page: carousel 25 %, recommendation 30 %, direct 20 %, ...
_OTHERS = np.repeat(np.array([0, 2, 3, 5], np.uint8), [5, 6, 4, 5])
_RETURN_BEFORE_ADD = 0.7  # minutes
_NOTHING_FOUND = 0.4  # of the searches that lead nowhere


def pages(
    world: World, rng: np.random.Generator, views: Views, visits: Visits, outcome: Outcome
) -> Table:
    """Return the page views and searches of a step."""
    searched = (rng.random(len(views.time)) < world.params.views_from_search) & (views.shock == 0)
    source = _OTHERS[rng.integers(0, len(_OTHERS), len(views.time))]
    source[searched] = _SEARCH
    source[views.shock > 0] = _DIRECT
    seen = _views(
        world, time=views.time, user=views.user, game=views.game, source=source, visit=views.visit
    )
    seen["shock"] = views.shock
    found = np.flatnonzero(searched)
    return join(
        seen,
        _returns(world, outcome.adds),
        _searches_before(world, rng, views, found),
        _vain_searches(world, rng, visits, len(found)),
    )


def _views(
    world: World, *, time: Floats, user: Ints, game: Ints, source: Ints | int, visit: Ints
) -> Table:
    offer = world.offer(game, time)
    return table(
        EVENT,
        len(time),
        time=world.to_ms(time),
        visit=visit,
        user=user,
        game=game,
        size=offer,
        cents=world.prices[offer, game],
        kind=VIEW,
        what=source,
    )


def _returns(world: World, adds: Table) -> Table:
    """Who comes back for a game looks at it once more, from the wishlist."""
    back = adds[adds["returns"]]
    user, game = np.divmod(back["pair"], world.params.games)
    time = back["time"] - _RETURN_BEFORE_ADD
    seen = _views(world, time=time, user=user, game=game, source=_WISHLIST, visit=back["visit"])
    seen["shock"] = back["shock"]
    return seen


def _searches_before(world: World, rng: np.random.Generator, views: Views, found: Ints) -> Table:
    query = views.game[found] * HITS_PER_GAME + rng.integers(0, HITS_PER_GAME, len(found))
    time = views.time[found] - rng.uniform(0.1, 1.2, len(found))
    return _searches(world, time, views.user[found], views.visit[found], query)


def _vain_searches(world: World, rng: np.random.Generator, visits: Visits, successes: int) -> Table:
    """Searches after which nobody looks at a game: some find none, some none that pleases."""
    e = world.params.search_effectiveness
    if not len(visits):
        return np.zeros(0, EVENT)
    at = rng.integers(0, len(visits), rng.poisson(successes * (1 - e) / e))
    game = world.guide[rng.integers(0, len(world.guide), len(at))].astype(np.int64)
    query = game * HITS_PER_GAME + rng.integers(0, HITS_PER_GAME, len(at))
    nothing = rng.random(len(at)) < _NOTHING_FOUND
    query[nothing] = rng.integers(first_miss(), len(queries()), int(nothing.sum()))
    time = visits.time[at] + rng.uniform(-1, 4, len(at))
    return _searches(world, time, visits.user[at], visits.number[at], query)


def _searches(world: World, time: Floats, user: Ints, visit: Ints, query: Ints) -> Table:
    ms = world.to_ms(time)
    return table(
        EVENT, len(ms), time=ms, user=user, visit=visit, number=query, kind=SEARCH, game=-1
    )
