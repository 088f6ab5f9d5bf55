"""The shocks at work: crowds and bots among the views, woken wishlists, arrivals held back."""

from __future__ import annotations

import numpy as np

from steamlab.simulator.chance import Floats, Ints, generator
from steamlab.simulator.journeys import Journeys
from steamlab.simulator.params import DAY, HOUR, week_profile
from steamlab.simulator.rows import ADD, Table, join, member, table
from steamlab.simulator.shocks import Bot, Outage, Release, Sale, Shock, Streamer, game_index
from steamlab.simulator.visits import Views, choose, users_at
from steamlab.simulator.world import ADMIT, World

__all__ = ["hold_arrivals", "shake_views", "wake_holders"]

_SHOCK = 1 << 20  # keeps the shocks' generators apart from the weeks'
_WAKE = 48 * HOUR
_FADED = 12  # half-lives after which a streamer's crowd is gone
_BURST_MS = 20_000  # mean time that the store needs to catch up after an outage


def shake_views(
    world: World, journeys: Journeys, views: Views, *, shard: int, begin: float, end: float
) -> Views:
    """Take away views of games not yet released; add the crowds' and the bots'."""
    for number, shock in enumerate(world.shocks):
        rng = generator(world.seed, shard, _SHOCK + number, int(begin))
        if isinstance(shock, Release):
            out = views.time >= world.at_day(shock.at_day)
            views = views.where(out | (views.game != game_index(shock.game)))
        if isinstance(shock, Bot):
            if shard == 0:
                views = views.joined(_bot(world, journeys, shock, begin=begin, end=end))
        elif not isinstance(shock, Outage):
            views = views.joined(_crowd(world, journeys, rng, shock, shard, begin, end))
    return views


def _crowd(
    world: World,
    journeys: Journeys,
    rng: np.random.Generator,
    shock: Sale | Streamer | Release,
    shard: int,
    begin: float,
    end: float,
) -> Views:
    """Views beyond the ordinary ones: visits of one page."""
    games = np.flatnonzero(_games(world, shock))
    weight = world.popularity[games]
    minutes: Floats = np.arange(np.floor(begin), np.ceil(end)).astype(float)
    busy = week_profile()[(minutes // HOUR).astype(np.int64) % 168]
    rate = world.views_per_minute * weight.sum() * busy * _excess(world, shock, minutes)
    minutes = np.repeat(minutes, rng.poisson(rate))
    time: Floats = minutes + rng.random(len(minutes))
    time = time[(time >= begin) & (time < end)]
    user = users_at(world, rng, time)
    persona = world.persona(user * world.shards + shard)
    game = rng.choice(games, len(time), p=weight / weight.sum()).astype(np.int16)
    visit = journeys.visits(len(time))
    choice = choose(world, rng, visit=visit, persona=persona, game=game, time=time)
    return Views(time, user, persona, game, visit, choice, _label(shock, len(time)))


def _label(shock: Shock, size: int) -> Ints:
    return np.full(size, shock.label, np.uint8)


def _games(world: World, shock: Sale | Streamer | Release) -> Ints:
    if isinstance(shock, Sale):
        return shock.mask
    return np.asarray(np.arange(world.params.games) == game_index(shock.game))


def _excess(world: World, shock: Sale | Streamer | Release, minutes: Floats) -> Floats:
    """How many times the usual views come on top."""
    since = minutes - world.at_day(shock.at_day)
    hours = np.maximum(since, 0) / HOUR
    if isinstance(shock, Sale):
        shape = (shock.lift - 1) * (since < shock.days * DAY)
    elif isinstance(shock, Streamer):
        ramp = np.minimum(since / shock.ramp_minutes, 1)
        faded = np.maximum(hours - shock.ramp_minutes / HOUR, 0) / shock.half_life_hours
        shape = (shock.factor - 1) * ramp * 2.0**-faded * (faded < _FADED)
    else:
        shape = (shock.factor - 1) * (1 + hours) ** -shock.exponent
    return np.asarray(np.where(since >= 0, shape, 0.0))


def _bot(world: World, journeys: Journeys, bot: Bot, *, begin: float, end: float) -> Views:
    time = world.at_day(bot.at_day) + np.linspace(0, bot.minutes, bot.views)
    time = time[(time >= begin) & (time < end)]
    size = len(time)
    user = np.full(size, _bot_user(world, bot))
    game = np.full(size, game_index(bot.game), np.int16)
    visit = np.repeat(journeys.visits(1), size)
    persona, nothing = world.persona(user * world.shards), np.zeros(size, np.uint8)
    return Views(time, user, persona, game, visit, nothing, _label(bot, size))


def _bot_user(world: World, bot: Bot) -> int:
    """A user of the first shard whom every scale admits first."""
    low = int(world.age(np.array([world.at_day(bot.at_day)]))[0] * world.users_per_shard)
    users = low + np.arange(world.users_per_shard)
    return int(users[np.argmin(world.user_chance(users * world.shards, ADMIT))])


def wake_holders(world: World, journeys: Journeys, *, shard: int, begin: float, end: float) -> None:
    """Let a sale bring some of those back who have its games on their wishlists."""
    for number, sale in enumerate(world.shocks):
        if not isinstance(sale, Sale) or not begin <= world.at_day(sale.at_day) < end:
            continue
        rng = generator(world.seed, shard, _SHOCK + number)
        held = journeys.listed[sale.mask[journeys.listed % world.params.games]]
        woken = held[rng.random(len(held)) < sale.wakes]
        _come_back(world, journeys, rng, woken, world.at_day(sale.at_day), shard)


def _come_back(
    world: World,
    journeys: Journeys,
    rng: np.random.Generator,
    pairs: Ints,
    begin: float,
    shard: int,
) -> None:
    """Bring returns forward that were planned for later, and add those that were not planned."""
    user = pairs // world.params.games
    woken = table(
        ADD,
        len(pairs),
        time=begin + _WAKE * rng.random(len(pairs)) ** 2,  # most come early
        pair=pairs,
        visit=journeys.visits(len(pairs)),
        luck=rng.random(len(pairs)),
        pause=rng.standard_normal(len(pairs)),
        persona=world.persona(user * world.shards + shard),
        returns=True,
        shock=Sale.label,
    )
    adds = journeys.adds
    later = member(adds["pair"], pairs) & (adds["time"] > begin)
    journeys.adds = join(adds[~later], woken)


def hold_arrivals(world: World, rng: np.random.Generator, rows: Table) -> None:
    """Let nothing arrive during outages; afterwards it comes in a burst."""
    for shock in world.shocks:
        if isinstance(shock, Outage):
            begin = int(world.to_ms(np.array([world.at_day(shock.at_day)]))[0])
            end = begin + round(shock.minutes * 60_000)
            held = (rows["arrival"] >= begin) & (rows["arrival"] < end)
            wait = rng.exponential(_BURST_MS, int(held.sum())).astype(np.int64)
            rows["arrival"][held] = end + wait
            rows["shock"][held] = Outage.label
