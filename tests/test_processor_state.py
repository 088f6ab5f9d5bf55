"""What the processor keeps, and how long; what an idle topic does, and a restart."""

from __future__ import annotations

import json

import msgspec
import pytest

from steamlab.events import Decoded
from steamlab.metrics import Record, read_lines
from steamlab.processor import changelog
from steamlab.processor.clocks import Clocks
from steamlab.processor.families import ALL_TOPICS
from steamlab.processor.first_stage import FirstStage
from steamlab.processor.state import FactsRecord
from tests.processing import Both, oracle_of, plain
from tests.stream import Event, add, buy, look, search, wish

GRACE_MS = 300_000


def accepted(*events: Event) -> list[Decoded]:
    """Decode events."""
    return read_lines([json.dumps(event).encode() for event in events]).accepted


def all_five(clock: str, user: str) -> list[Event]:
    """Make an event of each kind."""
    return [make(clock, user) for make in (look, wish, add, buy, search)]


def test_an_idle_topic_does_not_hold_back() -> None:
    """A minute of sales is not final while purchases may come; it is once they are idle."""
    both = Both(grace_ms=GRACE_MS)
    both.process(accepted(buy("10:04:00"), look("10:30:00")))
    minute = "revenue_per_minute|2025-11-21T10:04:00Z|"
    record = both.found[minute]
    assert record and record["final"] is False
    output = both.firsts[0].process([], idle={"store.purchases"})
    both.second.update(0, output.cells, output.clocks)
    changed = both.second.changes()[minute]
    assert changed and changed["final"] is True


def test_a_topic_that_wakes_up_is_late() -> None:
    """What an idle topic still had for a minute that is final counts as late, and no more."""
    first = FirstStage(grace_ms=GRACE_MS)
    first.process_decoded(accepted(buy("10:04:00"), look("10:30:00")), idle={"store.purchases"})
    output = first.process_decoded(accepted(buy("10:04:30", "u2")))
    assert (1, 0) == (output.late["orders_minute"], output.late["orders_hour"])
    assert ("orders_minute", 1763719440000) not in output.cells


def woken(*, restarts: bool) -> list[str]:
    """Return the final records that change when an idle partition goes on, far behind the others.

    Ten minutes and more after the events that it then brings, the other one's minutes are final.
    """
    ahead, behind = FirstStage(grace_ms=GRACE_MS), FirstStage(grace_ms=GRACE_MS)
    both = Both(partitions=2, grace_ms=GRACE_MS)
    final: dict[str, Record | None] = {}
    changed: list[str] = []

    def feed(place: int, first: FirstStage, *events: Event, is_idle: bool = False) -> None:
        idle = ALL_TOPICS if is_idle else ()
        output = first.process_decoded(accepted(*events), idle=idle)
        both.partials[place] |= output.cells
        both.clocks[place] = output.clocks
        both.second.update(place, output.cells, output.clocks, is_idle=is_idle)
        for name, record in both.publish().items():
            changed.extend([name] if name in final else [])
            if record and record["final"]:
                final[name] = record

    feed(1, behind, *all_five("09:00:00", "u2"))
    feed(1, behind, is_idle=True)
    for minute in range(0, 60, 2):
        feed(0, ahead, *all_five(f"10:{minute:02}:00", "u1"))
    assert "trending_games|2025-11-21T09:20:00Z|" in final
    if restarts:
        both.restart()  # that a partition was idle is not told again: by now it is not
    feed(1, behind, look("10:20:00", "u2", "g2"), buy("10:20:00", "u2", order="o2"))
    feed(1, behind, look("10:22:00", "u2", "g2"))
    return changed


@pytest.mark.parametrize("restarts", [False, True])
def test_final_stays_final_when_a_partition_wakes(restarts: bool) -> None:
    """What it then brings for final windows counts as late; also where nobody remembers them."""
    assert [] == woken(restarts=restarts)


def test_marks_that_go_back_change_what_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without the memory of how far all had come, final records change."""
    right = Clocks.slowest

    def slowest(self: Clocks, topics: tuple[str, ...]) -> int:
        self._reached.clear()
        return right(self, topics)

    monkeypatch.setattr(Clocks, "slowest", slowest)
    assert [] != woken(restarts=False)


def test_a_restart_must_recall_the_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where final records do not say how far all had come, they change."""
    monkeypatch.setattr(Clocks, "recall", lambda *_: None)
    assert [] != woken(restarts=True)


def test_too_old_events_are_refused() -> None:
    """When all topics are days ahead, an event is too old to tell whether it is new."""
    first = FirstStage()
    first.process_decoded(accepted(*all_five("11-01 10:00:00", "u1")))
    first.process_decoded(accepted(*all_five("11-10 10:00:00", "u1")))
    output = first.process_decoded(accepted(look("11-02 10:00:00", "u2")))
    assert (0, 1) == (output.accepted, output.late["too_old store.game-views"])


def test_a_known_event_is_known_after_a_restart() -> None:
    """Identities are part of the state: what comes again after a restart is a duplicate."""
    both = Both()
    both.process(accepted(*all_five("10:00:00", "u1")))
    both.restart()
    output = both.firsts[0].process_decoded(accepted(*all_five("10:00:00", "u1")))
    assert (0, 5) == (output.accepted, output.duplicates)


def test_state_does_not_grow_with_time() -> None:
    """Of a hundred days with new users each, the records of a month or so are kept."""
    both, days = Both(grace_ms=GRACE_MS), []
    for month in ("06", "07", "08", "09"):
        for day in range(1, 26):
            days += accepted(*all_five(f"{month}-{day:02} 10:00:00", f"u{month}{day}"))
    sizes = []
    for begin in range(0, len(days), 5):
        both.process(days[begin : begin + 5])
        sizes.append((len(both.logs[0]), len(both.partials[0])))
    assert oracle_of(days) == plain(both.found)
    # One record of facts a day for 30 days and some, one of recent things for two, the clock.
    assert max(records for records, _ in sizes) <= 40
    assert max(cells for _, cells in sizes[50:]) <= 1.1 * max(cells for _, cells in sizes[:50])


def test_facts_of_long_lives_are_carried_on_once_a_month(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair that lives for a hundred days does not take its facts along in every sweep."""
    monkeypatch.setattr(changelog, "_SMALL", 0)  # as where a batch has many facts
    first, written = FirstStage(grace_ms=GRACE_MS), 0
    for month in ("06", "07", "08", "09"):
        for day in range(1, 26):
            events = all_five(f"{month}-{day:02} 10:00:00", "u1")
            for name, value in first.process_decoded(accepted(*events)).changelog.items():
                if value is not None and name.startswith("facts"):
                    written += len(msgspec.msgpack.decode(value, type=FactsRecord).pair_fact) // 8
    # Four facts a day; each is written once, and again after about one, two and three months.
    assert 400 < written <= 1_000


def test_what_is_closed_is_told_day_by_day() -> None:
    """Of a hundred days, what a batch tells is of the last of them: it does not grow."""
    both, most = Both(grace_ms=GRACE_MS), 0
    for month in ("06", "07", "08", "09"):
        for day in range(1, 26):
            both.process(accepted(*all_five(f"{month}-{day:02} 10:00:00", f"u{month}{day}")))
            most = max([most, *(len(counts) for _, counts in both.closed.values())])
    assert 1 == most
    waits = [day for name, day in both.closed if name == "waits"]
    assert 90 < len(waits) == len(set(waits))


def test_a_cart_falls_silent_while_others_shop() -> None:
    """No timer and no event of the cart's user is needed: the time of the others is enough."""
    both = Both(grace_ms=GRACE_MS)
    both.process(accepted(add("10:00:00", "u1")))
    closed = "cart_abandonment|2025-11-21T12:00:00Z|"
    assert closed not in both.found
    both.process(accepted(look("12:00:00", "u2")))
    assert closed not in both.found
    both.process(accepted(look("12:00:00.001", "u2")))
    record = both.found[closed]
    assert record and (1, 1) == (record["numerator"], record["denominator"])


def test_small_batches_leave_few_records() -> None:
    """Of a thousand batches of one event each there are a few records to read after a restart."""
    first, log = FirstStage(), dict[str, bytes | None]()
    for number in range(1000):
        stamp = f"{10 + number // 100}:{number // 2 % 50:02}:{number % 2:02}"
        output = first.process_decoded(accepted(look(stamp, f"u{number % 7}", f"g{number}")))
        log |= output.changelog
    kept = [name for name, value in log.items() if value is not None]
    # Below 8 of each tier: 1000 is 1750 in base 8, for facts and for recent things; and the clock.
    assert 2 * (1 + 7 + 5 + 0) + 1 == len(kept)
    again = FirstStage()
    again.restore({name: value for name, value in log.items() if value is not None}, {})
    repeated = accepted(look("10:00:00", "u0", "g0"), look("19:49:01", "u5", "g999"))
    assert 2 == again.process_decoded(repeated).duplicates
