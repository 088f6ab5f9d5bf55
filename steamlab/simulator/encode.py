"""Write planned events as Kafka carries them: JSON bytes, the same that `steamlab.events` writes.

Whatever repeats is a ready-made piece of bytes: a view is its head, an instant, a user and one of
a few thousand tails. Lists of bytes, never numpy scalars, go through the loop.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import msgspec
import numpy as np

from steamlab.catalog import Game, catalog
from steamlab.events import TOPIC_OF
from steamlab.simulator.chance import Ints, mix
from steamlab.simulator.queries import queries
from steamlab.simulator.rows import SOURCES, Table
from steamlab.simulator.world import FIRST_USER, REGION, World

__all__ = ["Encoder", "Record", "instants"]

Record = tuple[int, bytes, bytes, list[tuple[str, bytes]]]

ACTIONS = (b"added", b"removed")
PAYMENTS = ("credit_card", "paypal", "steam_wallet", "cryptocurrency")
PAYMENT_SHARE = (0.46, 0.27, 0.25, 0.02)
REGION_SHARE = {
    "US": 0.27, "CN": 0.11, "DE": 0.09, "GB": 0.08, "BR": 0.07, "FR": 0.06, "JP": 0.05, "CA": 0.05,
    "PL": 0.04, "KR": 0.04, "AU": 0.03, "ES": 0.03, "IT": 0.03, "NL": 0.02, "SE": 0.02, "TR": 0.01,
}  # fmt: skip
UK_SHARE = 0.25  # of the British, whose country an old form still calls UK
_HEADS = tuple(b'{"eventType":"%b","timestamp":"' % name.encode() for name in TOPIC_OF)
_USER = b'","userId":"'
_json = msgspec.json.encode


def instants(ms: Ints) -> list[bytes]:
    """Return instants since 1970 as RFC 3339 in UTC, with milliseconds."""
    days, of_day = np.divmod(np.asarray(ms, np.int64), 86_400_000)
    minute, of_minute = np.divmod(of_day, 60_000)
    text = np.empty((len(days), 24), np.uint8)
    first = days.min()
    known = np.arange(first, days.max() + 1)
    dates = np.datetime_as_string(known.astype("datetime64[D]")).astype("S10")
    text[:, :10] = dates.view(np.uint8).reshape(-1, 10)[days - first]
    text[:, 10:17] = _MINUTES[minute]
    text[:, 17:] = _SECONDS[of_minute]
    written: list[bytes] = text.view("S24").ravel().tolist()
    return written


def _pieces(texts: Sequence[str]) -> Ints:
    width = len(texts[0])
    return np.array(texts, f"S{width}").view(np.uint8).reshape(-1, width)


_MINUTES = _pieces([f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440)])
_SECONDS = _pieces([f"{ms // 1000:02d}.{ms % 1000:03d}Z" for ms in range(60_000)])


def _hex(numbers: Ints) -> list[bytes]:
    text = numbers.astype(">u8").tobytes().hex().encode()
    written: list[bytes] = np.frombuffer(text, "S16").tolist()
    return written


@contextmanager
def _uncollected() -> Iterator[None]:
    """Spare the garbage collector a hundred thousand new tuples, none of them in a cycle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(frozen=True)
class Encoder:
    """Writes the events of one plan."""

    world: World

    def records(self, rows: Table, lines: Table) -> list[Record]:
        """Return kind, key, value and headers of each event, in the given order."""
        if not len(rows):
            return []
        keys = [b"user_%d" % user for user in (rows["user"] + FIRST_USER).tolist()]
        times, arrivals = instants(rows["time"]), instants(rows["arrival"])
        kinds, tails = rows["kind"].tolist(), self._tails(rows, lines)
        heads = [_HEADS[kind] for kind in kinds]
        values = map(b"".join, zip(heads, times, repeat(_USER), keys, tails, strict=False))
        columns = zip(kinds, keys, values, _hex(rows["id"]), arrivals, strict=True)
        with _uncollected():
            return [
                (kind, key, value, [("ce_id", name), ("ce_arrived", arrived)])
                for kind, key, value, name, arrived in columns
            ]

    def _tails(self, rows: Table, lines: Table) -> list[bytes]:
        """Everything after the user, event by event."""
        tails = np.empty(len(rows), object)
        writers = (self._views, self._wishes, self._carts, None, self._searches)
        for kind, writer in enumerate(writers):
            at = np.flatnonzero(rows["kind"] == kind)
            if len(at):
                own = rows[at]
                tails[at] = writer(own) if writer else self._purchases(own, lines)
        written: list[bytes] = tails.tolist()
        return written

    def _views(self, rows: Table) -> Ints:
        games, sources = len(self._games), len(SOURCES)
        place = (rows["size"].astype(np.int64) * games + rows["game"]) * sources + rows["what"]
        return np.asarray(self._view_tails[place])

    def _searches(self, rows: Table) -> Ints:
        return np.asarray(self._search_tails[rows["number"]])

    def _wishes(self, rows: Table) -> list[bytes]:
        return [
            b'","gameId":"%b","action":"%b","currentWishlistSize":%d}'
            % (self._game_ids[game], ACTIONS[what], size)
            for game, what, size in zip(
                rows["game"].tolist(), rows["what"].tolist(), rows["size"].tolist(), strict=True
            )
        ]

    def _carts(self, rows: Table) -> list[bytes]:
        columns = (rows[name].tolist() for name in ("game", "what", "number", "size"))
        return [
            b'","gameId":"%b","action":"%b","currentCartValue":%a,"itemsInCart":%d}'
            % (self._game_ids[game], ACTIONS[what], cents / 100, size)
            for game, what, cents, size in zip(*columns, strict=True)
        ]

    def _purchases(self, rows: Table, lines: Table) -> list[bytes]:
        # Only the lines of these orders: a week holds many thousands more.
        items = np.abs(rows["items"].astype(np.int64))
        begin = np.cumsum(items) - items
        at = np.repeat(np.searchsorted(lines["order"], rows["number"]) - begin, items)
        own = lines[at + np.arange(len(at))]
        games, cents = own["game"].tolist(), own["cents"].tolist()
        orders = _hex(mix(rows["number"], salt=self.world.fingerprint + 1))
        pay = np.searchsorted(np.cumsum(PAYMENT_SHARE[:-1]), (rows["id"] >> 40) / 2**24)
        columns = (begin.tolist(), rows["items"].tolist(), pay.tolist(), self._regions(rows))
        return [
            b'","orderId":"order_%b","games":[%b],"totalAmount":%a,'
            b'"paymentMethod":"%b","region":"%b"}'
            % (
                order,
                b",".join(
                    b'{"gameId":"%b","price":%a}' % (self._game_ids[games[i]], cents[i] / 100)
                    for i in range(first, first - items)
                ),
                sum(cents[first : first - items]) / 100,
                PAYMENTS[payment].encode(),
                region,
            )
            for order, first, items, payment, region in zip(orders, *columns, strict=True)
        ]

    def _regions(self, rows: Table) -> list[bytes]:
        chance = self.world.user_chance(rows["user"], REGION)
        bounds = np.cumsum(list(REGION_SHARE.values()))
        names = np.array([*REGION_SHARE, "US"], "S2")
        place = np.searchsorted(bounds, chance, side="right")
        region = names[place]
        into = (bounds[place.clip(max=len(bounds) - 1)] - chance) < UK_SHARE * REGION_SHARE["GB"]
        region[(region == b"GB") & into] = b"UK"
        return list(region.tolist())

    @cached_property
    def _games(self) -> tuple[Game, ...]:
        return catalog()

    @cached_property
    def _game_ids(self) -> list[bytes]:
        return [game.game_id.encode() for game in self._games]

    @cached_property
    def _view_tails(self) -> Ints:
        tails = [
            _view_tail(game, cents / 100, source)
            for offer in self.world.prices.tolist()
            for game, cents in zip(self._games, offer, strict=True)
            for source in SOURCES
        ]
        return np.array(tails, object)

    @cached_property
    def _search_tails(self) -> Ints:
        tails = [
            _tail({"searchQuery": text, "resultsCount": found, "filterTags": tags})
            for text, found, tags in queries()
        ]
        return np.array(tails, object)


def _view_tail(game: Game, paid: float, source: str) -> bytes:
    sale = {"salePrice": paid} if paid < game.price else {}
    fields = {"gameId": game.game_id, "gameName": game.game_name, "price": game.price}
    fields |= {"onSale": bool(sale)} | sale | {"category": game.category}
    return _tail(fields | {"tags": game.tags, "source": source})


def _tail(fields: dict[str, object]) -> bytes:
    return b'",' + _json(fields)[1:]
