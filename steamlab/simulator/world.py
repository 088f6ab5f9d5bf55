"""What every part of a plan needs to know: parameters, catalogue, prices, users, the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from steamlab.catalog import catalog
from steamlab.simulator.chance import Floats, Ints, hash01
from steamlab.simulator.params import DAY, WEEK, Params, params
from steamlab.simulator.shocks import Sale, Shock

__all__ = ["FIRST_USER", "World"]

FIRST_USER = 10_000
SHARD_SCALE = 0.01  # users are planned in blocks of this scale, which fit into a CPU's cache
GUIDE = 1 << 17
PERSONA, ADMIT, REGION = 1, 2, 3  # salts: which of a user's hashes

_MINUTE_MS = 60_000


@dataclass(frozen=True)
class World:
    """The fixed surroundings of one plan. Times are minutes since `monday`, if not named `_ms`."""

    seed: int
    scale: float
    start_ms: int
    shocks: Sequence[Shock] = ()
    params: Params = field(default_factory=params)
    warm_up_weeks: int = 6

    def __post_init__(self) -> None:
        """Derive the tables once."""
        start = datetime.fromtimestamp(self.start_ms / 1000, UTC)
        weeks = timedelta(weeks=self.warm_up_weeks)
        midnight = (start - weeks).replace(hour=0, minute=0, second=0, microsecond=0)
        monday = midnight - timedelta(days=midnight.weekday())
        popularity = np.arange(1, self.params.games + 1) ** -self.params.popularity_exponent
        popularity /= popularity.sum()
        spots = (np.arange(GUIDE) + 0.5) / GUIDE
        self._set("monday_ms", round(monday.timestamp() * 1000))
        self._set("popularity", popularity)
        self._set("guide", np.searchsorted(np.cumsum(popularity), spots).astype(np.int16))
        self._set("sales", tuple(shock for shock in self.shocks if isinstance(shock, Sale)))
        self._set("prices", self._prices())

    monday_ms: int = field(init=False)
    popularity: Floats = field(init=False)
    guide: NDArray[np.int16] = field(init=False)
    sales: tuple[Sale, ...] = field(init=False)
    prices: Ints = field(init=False)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _prices(self) -> Ints:
        """Cents by offer and game: the usual offer, then each sale's."""
        full = np.array([round(game.price * 100) for game in catalog()], np.int32)
        usual = np.array([round(game.price_paid * 100) for game in catalog()], np.int32)
        offers = [usual]
        for sale in self.sales:
            cut = full * (100 - sale.percent) // 100
            offers.append(np.where(sale.mask, np.minimum(usual, cut), usual))
        return np.array(offers)

    @property
    def fingerprint(self) -> int:
        """A number that differs where events may differ, so that their ids do too."""
        text = repr((self.seed, self.scale, self.start_ms, self.shocks, self.params))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())

    @property
    def shards(self) -> int:
        """How many blocks of users there are."""
        return max(1, round(self.scale / SHARD_SCALE))

    @property
    def shard_scale(self) -> float:
        """The scale of one block."""
        return self.scale / self.shards

    @property
    def users_per_shard(self) -> int:
        """How many users one block has at any time."""
        return max(1, round(self.params.users * self.shard_scale))

    @property
    def start(self) -> float:
        """When the emitted store begins."""
        return (self.start_ms - self.monday_ms) / _MINUTE_MS

    @property
    def begin(self) -> float:
        """When the warm-up begins."""
        return self.start - self.warm_up_weeks * WEEK

    @property
    def views_per_minute(self) -> float:
        """How many pages of one block are looked at in ordinary visits, as a weekly mean."""
        pages = [(low + high) / 2 for low, high in self.params.views_per_visit]
        mean = sum(s * p for s, p in zip(self.params.persona_share, pages, strict=True))
        return self.params.visits_per_minute * self.shard_scale * mean

    def age(self, times: Floats) -> Floats:
        """Return how many lifetimes of a user have passed since the warm-up began."""
        return np.asarray((times - self.begin) / (self.params.lifetime_weeks * WEEK))

    def at_day(self, day: float) -> float:
        """Return the minute that is this many days after the start."""
        return self.start + day * DAY

    def to_ms(self, minutes: Floats) -> NDArray[np.int64]:
        """Return instants as milliseconds since 1970."""
        return np.asarray(np.floor(minutes * _MINUTE_MS).astype(np.int64) + self.monday_ms)

    def user_chance(self, users: Ints, which: int) -> Floats:
        """Return one of the users' fixed hashes in [0, 1)."""
        return hash01(users, salt=self.seed * 8 + which)

    def persona(self, users: Ints) -> NDArray[np.uint8]:
        """Return each user's persona as an index into PERSONAS."""
        share = self.params.persona_share
        chance = self.user_chance(users, PERSONA)
        return (chance >= share[0]).astype(np.uint8) + (chance >= share[0] + share[1])

    def offer(self, games: Ints, times: Floats) -> NDArray[np.int16]:
        """Return which offer holds for each game at each time, as an index into `prices`."""
        offers = np.zeros(len(games), np.int16)
        for number, sale in enumerate(self.sales, start=1):
            begin = self.at_day(sale.at_day)
            during = (times >= begin) & (times < begin + sale.days * DAY)
            offers[during & sale.mask[games]] = number
        return offers
