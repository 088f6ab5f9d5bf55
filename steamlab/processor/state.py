"""How state is spelled in the changelog, and how several records of it become one.

Users and games stand in a record by their names, once each: the numbers that the stage has for them
are its own, and may be somebody else's later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from steamlab.processor.cells import Names, to_codes
from steamlab.processor.facts import Columns

__all__ = ["Clock", "FactsRecord", "RecentRecord", "merge_facts", "merge_recent"]

_encode = msgspec.msgpack.Encoder().encode


class FactsRecord(Struct):
    """Facts of pairs and carts; users and games are places in the lists of names.

    `newest_ms` is when the last of all facts of these pairs happened, in this record or elsewhere.
    """

    users: list[str]
    games: list[str]
    pair_user: bytes
    pair_game: bytes
    pair_fact: bytes
    carts: list[tuple[int, int, list[int]]]
    newest_ms: int


class RecentRecord(Struct):
    """The rows of `Recent` (user, time, kind, game); the identities of events, and their marks."""

    users: list[str]
    games: list[str]
    rows: bytes
    identities: list[Any]
    marks: bytes
    newest_ms: int


class Clock(Struct):
    """The newest time of each topic, and of the last sweep; the chapters that are counted."""

    topics: dict[str, int]
    swept_ms: int
    chapters: list[str]


def merge_facts(values: Sequence[bytes]) -> bytes:
    """Return one record of facts for several."""
    users, games = Names(), Names()
    columns: list[list[Columns]] = [[], [], []]
    carts, newest_ms = [], []
    for value in values:
        record = msgspec.msgpack.decode(value, type=FactsRecord)
        newest_ms.append(record.newest_ms)
        user, game = to_codes(users, record.users), to_codes(games, record.games)
        columns[0].append(user[np.frombuffer(record.pair_user, np.int64)])
        columns[1].append(game[np.frombuffer(record.pair_game, np.int64)])
        columns[2].append(np.frombuffer(record.pair_fact, np.int64))
        carts += [(int(user[who]), when, game[what].tolist()) for who, when, what in record.carts]
    pair_user, pair_game, fact = (np.concatenate(parts) for parts in columns)
    merged = FactsRecord(
        list(users),
        list(games),
        pair_user.tobytes(),
        pair_game.tobytes(),
        fact.tobytes(),
        carts,
        max(newest_ms),
    )
    return _encode(merged)


def merge_recent(values: Sequence[bytes]) -> bytes:
    """Return one recent record for several."""
    users, games = Names(), Names()
    parts: list[Columns] = []
    identities: list[Any] = []
    marks, newest_ms = b"", []
    for value in values:
        record = msgspec.msgpack.decode(value, type=RecentRecord)
        rows = np.frombuffer(record.rows, np.int64).reshape(4, -1).copy()
        rows[0] = to_codes(users, record.users)[rows[0]]
        rows[3] = to_codes(games, record.games)[rows[3]]
        parts.append(rows)
        identities += record.identities
        marks += record.marks
        newest_ms.append(record.newest_ms)
    joined = np.concatenate(parts, axis=1)
    merged = RecentRecord(
        list(users), list(games), joined.tobytes(), identities, marks, max(newest_ms)
    )
    return _encode(merged)
