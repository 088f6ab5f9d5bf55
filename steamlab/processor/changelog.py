"""State as records: the facts of each batch, to be written with its output and put back after it.

Two records a batch: `recent|N` holds what is needed for a day, `facts|N` what is needed for longer;
beside them `clock`. A record is deleted when all in it is forgotten. Pairs that live on take their
facts along into a newer record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from msgspec import Struct

from steamlab.processor.cells import Names
from steamlab.processor.facts import CartFact, Columns
from steamlab.processor.intake import Identity
from steamlab.processor.pairs import GAME_BITS

__all__ = ["Changelog", "Clock", "FactsRecord", "RecentRecord"]

_MASK = (1 << GAME_BITS) - 1
CartRow = tuple[int, CartFact]


class FactsRecord(Struct):
    """Facts of pairs and carts; users and games are places in the lists of names."""

    users: list[str]
    games: list[str]
    pair_user: bytes
    pair_game: bytes
    pair_fact: bytes
    carts: list[tuple[int, int, list[int]]]


class RecentRecord(Struct):
    """The rows of `Recent` (user, time, kind, game); the identities of events, and their marks."""

    users: list[str]
    games: list[str]
    rows: bytes
    identities: list[Any]
    marks: bytes
    newest_ms: int


class Clock(Struct):
    """The newest time of each topic, and of the last sweep."""

    topics: dict[str, int]
    swept_ms: int


class _Chunk(Struct):
    newest_ms: int
    pair: Any
    fact: Any


class Changelog:
    """Write the records of a stage's state, and delete them in time."""

    def __init__(self, users: Callable[[], Sequence[str]], games: Names) -> None:
        self._users, self._games = users, games
        self._number = 0
        self._facts: dict[int, _Chunk] = {}
        self._recent: dict[int, int] = {}

    def facts(self, pair: Columns, fact: Columns, carts: Iterable[CartRow]) -> dict[str, bytes]:
        """Record facts of pairs and carts."""
        if not len(pair):
            return {}
        users, user = self._named(pair >> GAME_BITS, self._users())
        games = list(self._games)
        names, game = self._named(pair & _MASK, games)
        at_user = {name: place for place, name in enumerate(users)}
        at_game = {name: place for place, name in enumerate(names)}
        people = self._users()
        rows = [  # each of them is a fact of a pair, too: no user or game is new here
            (at_user[people[who]], when, [at_game[games[each]] for each in what])
            for who, (when, what) in carts
        ]
        record = FactsRecord(users, names, user.tobytes(), game.tobytes(), fact.tobytes(), rows)
        number = self._next()
        self._facts[number] = _Chunk(int(np.max(fact)) >> 3, pair, fact)
        return {f"facts|{number}": msgspec.msgpack.encode(record)}

    def recent(
        self, rows: Columns, identities: Mapping[Identity, int], newest_ms: int
    ) -> dict[str, bytes]:
        """Record recent rows and identities."""
        users, user = self._named(rows[0], self._users())
        games, game = self._named(rows[3], list(self._games))
        coded = np.stack([user, rows[1], rows[2], game])
        number = self._next()
        self._recent[number] = newest_ms
        marks = np.fromiter(identities.values(), np.int64, len(identities)).tobytes()
        record = RecentRecord(users, games, coded.tobytes(), list(identities), marks, newest_ms)
        return {f"recent|{number}": msgspec.msgpack.encode(record)}

    def forget(
        self, *, recent_ms: int, facts_ms: int, living: dict[int, Any]
    ) -> dict[str, bytes | None]:
        """Delete records that hold nothing newer than these instants; the living are carried on."""
        records: dict[str, bytes | None] = {}
        for number in [n for n, newest in self._recent.items() if newest < recent_ms]:
            del self._recent[number]
            records[f"recent|{number}"] = None
        old = [n for n, chunk in self._facts.items() if chunk.newest_ms < facts_ms]
        for number in old:
            chunk = self._facts.pop(number)
            records[f"facts|{number}"] = None
            # A user's number may be somebody else's by now, so the fact itself is looked for.
            each = zip(chunk.pair.tolist(), chunk.fact.tolist(), strict=True)
            is_alive = np.array([fact in living.get(pair, ()) for pair, fact in each], bool)
            records |= self.facts(chunk.pair[is_alive], chunk.fact[is_alive], ())
        return records

    def note_facts(self, key: str, pair: Columns, fact: Columns) -> None:
        """Take note of a record of facts that was read back."""
        self._facts[self._noted(key)] = _Chunk(int(np.max(fact)) >> 3, pair, fact)

    def note_recent(self, key: str, newest_ms: int) -> None:
        """Take note of a recent record that was read back."""
        self._recent[self._noted(key)] = newest_ms

    def _noted(self, key: str) -> int:
        number = int(key.partition("|")[2])
        self._number = max(self._number, number)
        return number

    def _next(self) -> int:
        self._number += 1
        return self._number

    @staticmethod
    def _named(codes: Columns, names: Sequence[str]) -> tuple[list[str], Columns]:
        """Return the names that occur, and each code's place among them."""
        place, unique = pd.factorize(codes)
        return [names[code] for code in unique.tolist()], place.astype(np.int64)
