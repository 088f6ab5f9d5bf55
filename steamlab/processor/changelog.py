"""State as records: the facts of each batch, to be written with its output and put back after it.

Two records a batch: `recent|N` holds what is needed for a day, `facts|N` what is needed for longer;
beside them `clock`. Eight small records of a kind become one, again and again, so that a restart
reads few, however small the batches were; one that is too large for its topic becomes two. A record
is deleted when all in it is forgotten. Pairs that live on take their facts along into a newer one.
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
from steamlab.processor.pairs import GAME_BITS, last_fact, unpack
from steamlab.processor.state import FactsRecord, RecentRecord, merge_facts, merge_recent

__all__ = ["Changelog"]

_MASK = (1 << GAME_BITS) - 1
_TOGETHER = 8  # so many small records of about a size become one
_SMALL = 128 * 1024  # bytes; larger records stay as they are
_LARGE = 1024 * 1024  # bytes; larger records are halved
_MERGE = {"facts": merge_facts, "recent": merge_recent}
CartRow = tuple[int, CartFact]


class _Chunk(Struct):
    newest_ms: int
    pair: Any
    fact: Any


class _Small(Struct):
    """A record that may still be put together with others; of tier n are 8 ** n batches."""

    tier: int
    value: bytes


class Changelog:
    """Write the records of a stage's state, and delete them in time."""

    def __init__(self, users: Callable[[], Sequence[str]], games: Names) -> None:
        self._users, self._games = users, games
        self._number = 0
        self._facts: dict[int, _Chunk] = {}
        self._recent: dict[int, int] = {}
        self._small: dict[str, dict[int, _Small]] = {kind: {} for kind in _MERGE}

    def facts(
        self, pair: Columns, fact: Columns, carts: Sequence[CartRow], newest_ms: int | None = None
    ) -> dict[str, bytes | None]:
        """Record facts of pairs and carts; the record is of use for a while after `newest_ms`."""
        if not len(pair) + len(carts):
            return {}
        if newest_ms is None:
            newest_ms = int(np.max(fact)) >> 3
        value = self._encoded_facts(pair, fact, carts, newest_ms)
        if len(value) > _LARGE and len(pair) > 1:
            at, cart = len(pair) // 2, len(carts) // 2
            first = self.facts(pair[:at], fact[:at], carts[:cart], newest_ms)
            return first | self.facts(pair[at:], fact[at:], carts[cart:], newest_ms)
        number = self._next()
        self._facts[number] = _Chunk(newest_ms, pair, fact)
        return self._with_merged("facts", number, value)

    def _encoded_facts(
        self, pair: Columns, fact: Columns, carts: Sequence[CartRow], newest_ms: int
    ) -> bytes:
        who = [user for user, _ in carts]
        what = [game for _, (_, games) in carts for game in games]
        shoppers, goods = np.array(who, np.int64), np.array(what, np.int64)
        users, user = self._named(np.concatenate([pair >> GAME_BITS, shoppers]), self._users())
        games, game = self._named(np.concatenate([pair & _MASK, goods]), list(self._games))
        rest = iter(game[len(pair) :].tolist())
        rows = [
            (code, when, [next(rest) for _ in named])
            for code, (_, (when, named)) in zip(user[len(pair) :].tolist(), carts, strict=True)
        ]
        columns = user[: len(pair)].tobytes(), game[: len(pair)].tobytes(), fact.tobytes()
        return msgspec.msgpack.encode(FactsRecord(users, games, *columns, rows, newest_ms))

    def recent(
        self, rows: Columns, identities: Mapping[Identity, int], newest_ms: int
    ) -> dict[str, bytes | None]:
        """Record recent rows and identities."""
        value = self._encoded_recent(rows, identities, newest_ms)
        if len(value) > _LARGE and max(rows.shape[1], len(identities)) > 1:
            at, each = rows.shape[1] // 2, list(identities.items())
            first = self.recent(rows[:, :at], dict(each[: len(each) // 2]), newest_ms)
            return first | self.recent(rows[:, at:], dict(each[len(each) // 2 :]), newest_ms)
        number = self._next()
        self._recent[number] = newest_ms
        return self._with_merged("recent", number, value)

    def _encoded_recent(
        self, rows: Columns, identities: Mapping[Identity, int], newest_ms: int
    ) -> bytes:
        users, user = self._named(rows[0], self._users())
        games, game = self._named(rows[3], list(self._games))
        coded = np.stack([user, rows[1], rows[2], game])
        marks = np.fromiter(identities.values(), np.int64, len(identities)).tobytes()
        record = RecentRecord(users, games, coded.tobytes(), list(identities), marks, newest_ms)
        return msgspec.msgpack.encode(record)

    def _with_merged(self, kind: str, number: int, value: bytes) -> dict[str, bytes | None]:
        """Return a new record, or what it becomes together with earlier ones; those are deleted."""
        small, found, tier = self._small[kind], dict[str, bytes | None](), 0
        while len(value) < _SMALL:
            small[number] = _Small(tier, value)
            alike = [each for each, record in small.items() if record.tier == tier]
            if len(alike) < _TOGETHER:
                break
            value = _MERGE[kind]([small.pop(each).value for each in alike])
            number, tier = self._join(kind, alike), tier + 1
            found |= {f"{kind}|{each}": None for each in alike}
        return found | {f"{kind}|{number}": value}

    def _join(self, kind: str, numbers: Sequence[int]) -> int:
        """Let one record stand for several; return its number."""
        number = self._next()
        if kind == "recent":
            self._recent[number] = max(self._recent.pop(each) for each in numbers)
        else:
            chunks = [self._facts.pop(each) for each in numbers]
            self._facts[number] = _Chunk(
                max(chunk.newest_ms for chunk in chunks),
                np.concatenate([chunk.pair for chunk in chunks]),
                np.concatenate([chunk.fact for chunk in chunks]),
            )
        return number

    def forget(
        self, *, recent_ms: int, facts_ms: int, living: Mapping[int, bytes]
    ) -> dict[str, bytes | None]:
        """Delete records that hold nothing newer than these instants; the living are carried on."""
        records: dict[str, bytes | None] = {}
        for number in [n for n, newest in self._recent.items() if newest < recent_ms]:
            del self._recent[number]
            self._small["recent"].pop(number, None)
            records[f"recent|{number}"] = None
        old = [n for n, chunk in self._facts.items() if chunk.newest_ms < facts_ms]
        chunks = [self._facts.pop(number) for number in old]
        for number in old:
            self._small["facts"].pop(number, None)
            records[f"facts|{number}"] = None
        if chunks:
            pair, fact = self._living(chunks, living)
            # Old as they are, these facts live as long as their pairs: or they would be carried on
            # in every sweep.
            last_ms = (last_fact(living[key]) >> 3 for key in pair.tolist())
            records |= self.facts(pair, fact, (), max(last_ms, default=0))
        return records

    @staticmethod
    def _living(chunks: Iterable[_Chunk], living: Mapping[int, bytes]) -> tuple[Columns, Columns]:
        """Return what is still known of the chunks' facts.

        A user's number may be somebody else's by now, so the fact itself is looked for.
        """
        pair = np.concatenate([chunk.pair for chunk in chunks])
        fact = np.concatenate([chunk.fact for chunk in chunks])
        each = zip(pair.tolist(), fact.tolist(), strict=True)
        is_alive = np.array([key in living and it in unpack(living[key]) for key, it in each], bool)
        return pair[is_alive], fact[is_alive]

    def note_facts(
        self, key: str, value: bytes, pair: Columns, fact: Columns, newest_ms: int
    ) -> None:
        """Take note of a record of facts that was read back."""
        number = self._noted(key, value)
        self._facts[number] = _Chunk(newest_ms, pair, fact)

    def note_recent(self, key: str, value: bytes, newest_ms: int) -> None:
        """Take note of a recent record that was read back."""
        self._recent[self._noted(key, value)] = newest_ms

    def _noted(self, key: str, value: bytes) -> int:
        kind, _, name = key.partition("|")
        number = int(name)
        self._number = max(self._number, number)
        if len(value) < _SMALL:  # of which tier it was is not known, and does not matter
            self._small[kind][number] = _Small(0, value)
        return number

    def _next(self) -> int:
        self._number += 1
        return self._number

    @staticmethod
    def _named(codes: Columns, names: Sequence[str]) -> tuple[list[str], Columns]:
        """Return the names that occur, and each code's place among them."""
        place, unique = pd.factorize(codes)
        return [names[code] for code in unique.tolist()], place.astype(np.int64)
