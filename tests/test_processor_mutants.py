"""Wrong variants of the processor: each must fail its scenario, and the right form none."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any
from unittest import mock

import msgspec
import numpy as np
import pytest

from steamlab.events import Decoded
from steamlab.metrics import read_file, read_lines
from steamlab.processor import (
    batch,
    cells,
    changelog,
    clocks,
    families,
    first_stage,
    pairs,
    recent,
    state,
)
from steamlab.processor.changelog import Changelog
from steamlab.processor.chapters import chapters_of
from steamlab.processor.clocks import Clocks
from steamlab.processor.families import FAMILY, Counts
from steamlab.processor.first_stage import FirstStage
from steamlab.processor.intake import Intake
from steamlab.processor.second_stage import SecondStage
from steamlab.processor.state import FactsRecord, RecentRecord
from steamlab.processor.sums import Cell, Sums
from steamlab.settings import data_path
from tests.processing import Both, oracle_of, plain, run
from tests.stream import add, buy, look, pull, search, wish

GOLDEN = read_file(str(data_path("golden/golden.jsonl"))).accepted
DIRTY = read_file(str(data_path("golden/dirty.jsonl"))).accepted
GRACE_MS = 300_000
_KINDS = ("facts", "recent")

Patch = Callable[[pytest.MonkeyPatch], None]
Scenario = Callable[[], bool]


def shuffled_and_restarted() -> bool:
    """Mix the golden stream, some of it twice, in two partitions with a restart."""
    for seed in range(3):
        chance = random.Random(seed)  # noqa: S311 - no secret
        mixed = [*GOLDEN, *GOLDEN[:8]]
        chance.shuffle(mixed)
        seen = plain(run(mixed, batch=3, partitions=2, restart_at=4))
        if oracle_of(GOLDEN) != seen:
            return False
    return True


def one_by_one() -> bool:
    """Take events one by one, and put records of state together two by two; restart after that."""
    events = [*GOLDEN, *GOLDEN[::3]]
    with mock.patch.object(changelog, "_TOGETHER", 2):
        return all(
            oracle_of(GOLDEN) == plain(run(events, batch=1, restart_at=number))
            for number in (3, 11, 14, 18, len(events) - 1)
        )


def topic_after_topic() -> bool:
    """Read one topic ahead of the other, with little grace: the slowest topic decides."""
    for is_reversed in (False, True):
        kinds = sorted(GOLDEN, key=lambda each: type(each.event).__name__, reverse=is_reversed)
        if oracle_of(GOLDEN) != plain(run(kinds, batch=4, grace_ms=GRACE_MS)):
            return False
    return True


def partition_after_partition() -> bool:
    """Read one partition ahead of the other, with little grace: the slowest partition decides."""
    both = Both(partitions=2, grace_ms=GRACE_MS)
    parts = [[each for each in GOLDEN if number(each) % 2 == part] for part in (0, 1)]
    for part in parts:
        for begin in range(0, len(part), 3):
            both.process(part[begin : begin + 3])
    return oracle_of(GOLDEN) == plain(both.found)


def number(each: Decoded) -> int:
    """Return what decides on the partition of an event."""
    assert each.event
    return sum(each.event.user_id.encode())


def late_order() -> bool:
    """One order of the dirty stream is late for its minute, and for nothing else."""
    both = Both(grace_ms=GRACE_MS)
    for each in DIRTY:
        both.process([each])
    late = {name: n for name, n in both.late.items() if n and name.startswith("orders")}
    total = both.found["average_order_value|2025-11-21T10:00:00Z|"]
    assert total
    return ("74.96", {"orders_minute": 1, "orders_rolling": 1}) == (total["numerator"], late)


def told_twice() -> bool:
    """Hand each output of the first stage on twice."""
    both = Both()
    update = both.second.update
    both.second.update = lambda *args: (update(*args), update(*args))[0]  # type: ignore[method-assign]
    for begin in range(0, len(GOLDEN), 3):
        both.process(GOLDEN[begin : begin + 3])
    return oracle_of(GOLDEN) == plain(both.found)


def always_behind() -> bool:
    """Publish what may still change at the very end, with a restart in between or without one."""
    for grace_ms in (GRACE_MS, 3_600_000):
        seen = run(GOLDEN, batch=2, grace_ms=grace_ms)
        for place in (-1, 4, 9):
            if seen != run(GOLDEN, batch=2, grace_ms=grace_ms, restart_at=place, is_behind=True):
                return False
    return True


def carts_backwards() -> bool:
    """Empty a cart before it is filled, as it arrives, and restart before the next."""
    events = [add("10:00:00"), pull("10:10:00"), add("10:20:00")]
    filled, *rest = read_lines([json.dumps(event).encode() for event in events]).accepted
    arrived = [rest[0], filled, rest[1]]
    return oracle_of(arrived) == plain(run(arrived, batch=1, restart_at=2))


def one_window_at_a_time() -> bool:
    """Who is behind makes of each metric the newest window only, and later each of the others."""
    both = Both()
    views = read_lines(
        [json.dumps(look(f"10:{minute:02}:00", "u1")).encode() for minute in range(10)]
    ).accepted
    behind = both.process(views, is_behind=True)
    then = both.publish()
    trends = [
        [name for name in found if name.startswith("trending_games|")] for found in (behind, then)
    ]
    return [1, 9] == list(map(len, trends)) and both.found == run(views, batch=10)


def three_weeks() -> bool:
    """Look at a game, and buy it 20 days later; others shop every day in between."""
    events = [look("10-01 10:00:00", "u1"), wish("10-01 10:01:00", "u1")]
    for day in range(2, 22):
        make = (look, wish, add, search, buy)
        events += [kind(f"10-{day:02} 10:00:00", "u2") for kind in make]
    events += [buy("10-21 11:00:00", "u1"), add("10-21 11:30:00", "u1")]
    accepted = read_lines([json.dumps(event).encode() for event in events]).accepted
    seen = plain(run(accepted, batch=4, grace_ms=GRACE_MS, restart_at=13))
    return oracle_of(accepted) == seen


def hour_by_hour() -> bool:
    """Let a day's hours be closed one after the other, and restart; then comes what is late."""
    hours = [kind(f"{hour:02}:10:00") for hour in range(12) for kind in (look, wish, add, buy)]
    hours += [search(f"{hour:02}:20:00") for hour in range(12)]
    accepted = read_lines([json.dumps(event).encode() for event in hours]).accepted
    whole = run(accepted, batch=5, grace_ms=GRACE_MS, chapters=chapters_of({"sales", "products"}))
    both = Both(grace_ms=GRACE_MS, chapters=chapters_of({"sales", "products"}))
    for begin in range(0, len(accepted), 5):
        both.process(accepted[begin : begin + 5])
        both.restart()
    late = FAMILY["orders_hour"].bucket(accepted[0].event_ms)
    both.second.update(0, {("orders_hour", late): {"US": 9}}, both.clocks[0])
    both.publish()
    return whole == both.found


def without_until(self: Sums, closed: Any) -> None:
    """Put back what was closed, as if all might still change."""
    RIGHT["restore"](
        self, {key: (families.NEVER_MS, counts) for key, (_, counts) in closed.items()}
    )


def patch(module: Any, name: str, wrong: Any) -> Patch:
    """Replace one function or constant."""
    return lambda monkeypatch: monkeypatch.setattr(module, name, wrong, raising=False)


def fastest(clocks: Any, topics: tuple[str, ...]) -> int:
    """Return the newest time of the fastest topic."""
    return max(clocks.get(topic, families.NEVER_MS) for topic in topics)


def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fastest topic decide."""
    for module in (batch, first_stage, clocks):
        monkeypatch.setattr(module, "watermark", fastest)


def any_partition(self: Clocks, topics: tuple[str, ...]) -> int:
    """Return the fastest partition's watermark."""
    return max(families.watermark(each, topics) for each in self.told.values())


def put_on_top(self: Sums, cell: Cell, counts: Counts) -> bool:
    """Add a partition's cell to what it said before, instead of replacing that."""
    self._parts.pop(cell[1:], None)
    changed: bool = RIGHT["put"](self, cell, counts)
    return changed


def applied_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find nothing final, and nothing late."""
    monkeypatch.setattr(batch.Batch, "is_final", lambda self, name, bucket: bucket != bucket)
    monkeypatch.setattr(batch.Batch, "_is_in_time", lambda self, family, time, met: time == time)


def merged(kind: str, **lost: Any) -> Patch:
    """Lose a field when records are put together."""
    right = changelog._MERGE[kind]  # noqa: SLF001 - what is wrapped
    form: Any = {"facts": FactsRecord, "recent": RecentRecord}[kind]

    def merge(values: Any) -> bytes:
        record = msgspec.msgpack.decode(right(values), type=form)
        return msgspec.msgpack.encode(msgspec.structs.replace(record, **lost))

    return patch(changelog, "_MERGE", changelog._MERGE | {kind: merge})  # noqa: SLF001


def half(kind: str) -> Patch:
    """Lose the second half of a record that is too large."""
    name = f"_encoded_{kind}"
    right = getattr(Changelog, name)

    def encoded(self: Changelog, first: Any, second: Any, *more: Any) -> Any:
        if self.was_halved:  # type: ignore[attr-defined]
            first, second = first[..., :0], second[:0] if kind == "facts" else {}
            more = ([], *more[1:]) if kind == "facts" else more
        value = right(self, first, second, *more)
        self.was_halved = len(value) > changelog._LARGE  # type: ignore[attr-defined]  # noqa: SLF001
        return value

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Changelog, "was_halved", False, raising=False)
        monkeypatch.setattr(Changelog, name, encoded)

    return apply


def in_halves() -> bool:
    """Halve records of state as soon as they have more than a few rows; restart after that."""
    with mock.patch.object(changelog, "_LARGE", 150), mock.patch.object(changelog, "_SMALL", 0):
        return all(
            oracle_of(GOLDEN) == plain(run([*GOLDEN, *GOLDEN[::3]], batch=8, restart_at=number))
            for number in (1, 2)
        )


def unnumbered(names: Any, column: Any) -> Any:
    """Number names from 0 in each record, whatever others have."""
    names.update(dict.fromkeys(column, 0))
    return np.arange(len(column))


def early(*, is_carried: bool) -> Patch:
    """Delete records of facts a month too early; what lives is carried on, or lost."""

    def forget(self: Changelog, *, recent_ms: int, facts_ms: int, living: Any) -> Any:
        later = facts_ms + 31 * families.DAY
        kept: Any = living if is_carried else {}
        return RIGHT["delete"](self, recent_ms=recent_ms, facts_ms=later, living=kept)

    return patch(Changelog, "forget", forget)


RIGHT: dict[str, Any] = {
    "delete": Changelog.forget,
    "extend": cells.Rows.extend,
    "append": cells.Rows._append,  # noqa: SLF001 - what is wrapped
    "contribute": recent._contribute,  # noqa: SLF001
    "put": Sums.put,
    "restore": Sums.restore,
    "forget": pairs.Pairs.forget,
}
WRONG: dict[str, tuple[Scenario, Patch]] = {
    "contributions of pairs and carts are not taken back": (
        shuffled_and_restarted,
        patch(
            cells.Rows,
            "extend",
            lambda self, found, sign: sign > 0 and RIGHT["extend"](self, found, sign),
        ),
    ),
    "contributions of recent facts are not taken back": (
        shuffled_and_restarted,
        patch(
            recent,
            "_contribute",
            lambda facts, rows, sign: sign > 0 and RIGHT["contribute"](facts, rows, sign),
        ),
    ),
    "facts are not sorted": (shuffled_and_restarted, patch(pairs, "sorted", list)),
    "carts' facts are not sorted": (shuffled_and_restarted, patch(pairs, "insort", list.append)),
    "duplicates are kept": (shuffled_and_restarted, patch(Intake, "_judge", lambda *_: None)),
    "identities are not restored": (
        shuffled_and_restarted,
        patch(Intake, "remember", lambda *_: None),
    ),
    "state is not restored": (
        shuffled_and_restarted,
        patch(FirstStage, "restore", lambda *_: None),
    ),
    "facts of pairs are not restored": (
        shuffled_and_restarted,
        patch(pairs.Pairs, "put", lambda *_: None),
    ),
    "facts of carts are not restored": (
        shuffled_and_restarted,
        patch(pairs.Carts, "put", lambda *_: None),
    ),
    "facts of carts are restored in any order": (
        carts_backwards,
        patch(pairs.Carts, "sort", lambda *_: None),
    ),
    "recent facts are not restored": (
        shuffled_and_restarted,
        patch(recent.Recent, "put", lambda self, new: None),
    ),
    "windows are closed at the wrong edge": (
        shuffled_and_restarted,
        patch(
            cells.Rows,
            "_append",
            lambda self, family, time, *more: RIGHT["append"](self, family, time - 1, *more),
        ),
    ),
    "rolling windows are closed on the left": (
        shuffled_and_restarted,
        patch(cells, "_IS_CLOSED_RIGHT", cells._IS_CLOSED_RIGHT & False),  # noqa: SLF001
    ),
    "the fastest topic decides": (topic_after_topic, everywhere),
    "the fastest partition decides": (
        partition_after_partition,
        patch(Clocks, "slowest", any_partition),
    ),
    "late events are applied": (late_order, applied_late),
    "there is no grace": (
        late_order,
        patch(first_stage, "Batch", lambda *args: batch.Batch(*args[:-1], -3_600_000)),
    ),
    "what is told twice counts twice": (
        told_twice,
        patch(Sums, "put", put_on_top),
    ),
    "pairs are forgotten after a day": (
        three_weeks,
        patch(
            pairs.Pairs,
            "forget",
            lambda self, floor_ms: RIGHT["forget"](self, floor_ms + 29 * families.DAY),
        ),
    ),
    "old records are deleted while pairs live": (three_weeks, early(is_carried=False)),
    "records are put together without carts": (one_by_one, merged("facts", carts=[])),
    "records are put together without identities": (
        one_by_one,
        merged("recent", identities=[], marks=b""),
    ),
    "records are put together without their newest": (
        one_by_one,
        patch(changelog, "_MERGE", {kind: lambda values: values[0] for kind in _KINDS}),
    ),
    "half of a large record of facts is lost": (in_halves, half("facts")),
    "half of a large recent record is lost": (in_halves, half("recent")),
    "users are mixed up when records are put together": (
        one_by_one,
        patch(state, "to_codes", unnumbered),
    ),
    "what is postponed is lost": (
        always_behind,
        patch(
            SecondStage,
            "_due",
            lambda self, _, stale, *, is_behind: [] if is_behind else sorted(stale),
        ),
    ),
    "who is behind publishes all at once": (
        one_window_at_a_time,
        patch(SecondStage, "_due", lambda self, _, stale, *, is_behind: sorted(stale)),
    ),
    "what is closed is not restored": (three_weeks, patch(Sums, "restore", lambda *_: None)),
    "what is closed of a day is told in part": (
        hour_by_hour,
        patch(Sums, "_drop_whole_spans", lambda self: self._spans.clear()),
    ),
    "what is closed is restored without until when": (
        hour_by_hour,
        patch(Sums, "restore", without_until),
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_variant_is_told_apart(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wrong variant fails the scenario that was made for it."""
    scenario, apply = WRONG[wrong]
    apply(monkeypatch)
    assert not scenario()


@pytest.mark.parametrize("scenario", {scenario for scenario, _ in WRONG.values()})
def test_right_form(scenario: Scenario) -> None:
    """The processor itself passes every scenario."""
    assert scenario()


def test_living_pairs_take_their_facts_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the record of a pair that lives on is deleted, a newer record has its facts."""
    early(is_carried=True)(monkeypatch)
    assert three_weeks()
