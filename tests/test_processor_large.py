"""Long names, many events of one user, and large sums: no record is larger than its topic takes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from steamlab.decoding import labels
from steamlab.pipeline.partials import closed_value, partials
from steamlab.pipeline.places import Places
from steamlab.processor import batch, changelog, sums
from steamlab.processor.families import DAY, HOUR
from steamlab.processor.first_stage import FirstStage, Message
from steamlab.processor.sums import Sums
from tests.processing import message, oracle, plain, run
from tests.stream import buy, look, search, wish

SPECS = {spec.name: spec.config for spec in Places().specs()}
CHANGELOG, PARTIALS = SPECS["analytics.changelog"], SPECS["analytics.partials"]


def largest(messages: Sequence[Message]) -> tuple[int, int]:
    """Return the sizes of the largest record of partial cells, and of state, of one batch."""
    output = FirstStage().process(messages)
    assert len(messages) == output.accepted
    cells = max(len(value) for _, _, value in partials(0, output, is_idle=False))
    return cells, max(len(value) for value in output.changelog.values() if value)


def long_named(count: int) -> list[Message]:
    """Return events of one minute, each about a name of its own of 20,000 characters and more."""
    events: list[Any] = []
    for number in range(count):
        clock, game = f"10:00:{number % 60:02}", f"{number:03}" + "g" * 20_000
        events += [
            search(clock, "u1", query=f"{number:03} " + "x" * 20_000),
            search(clock, "u1", query=f"{number:03} " + "\ufdfa" * 2_000),  # 18 letters each
            look(clock, "u1", game),
            wish(clock, "u1", game),
            buy(clock, "u1", order=f"o{number}", **{game: 1.0}),
        ]
    return [message(event, str(number)) for number, event in enumerate(events)]


def test_a_label_tells_long_names_apart() -> None:
    """Up to 200 characters a name is itself; longer ones that begin alike stay two."""
    assert "x" * 200 == labels.label("x" * 200)
    one, other = labels.label("x" * 201), labels.label("x" * 202)
    assert one != other
    assert 200 == len(one) == len(other)
    assert one.startswith("x" * 180)


def test_long_names_are_counted_by_their_labels() -> None:
    """What the stream says of them is what the batch says, in any batches."""
    events = long_named(12)
    assert oracle(events) == plain(run(events, batch=7, partitions=2))


def test_a_name_and_its_label_are_one_line() -> None:
    """Whoever writes the label of a long id means that game, in the stream as in the batch."""
    game = "g" * 300
    events = [message(buy("10:00:00", **{game: 1.0, labels.label(game): 2.0}))]
    found = plain(run(events))
    assert oracle(events) == found
    assert 1 == found["hot_purchases|2025-11-21T09:45:00Z|"]["items"][0]["lines"]


def test_long_names_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute with 150 of each kind fits a record; with the names themselves it would not."""
    cells, state = largest(long_named(150))
    assert cells < int(PARTIALS["max.message.bytes"])
    assert state < int(CHANGELOG["max.message.bytes"])
    monkeypatch.setattr(labels, "LONGEST", 10**9)
    monkeypatch.setattr(batch, "LONGEST", 0)
    assert largest(long_named(150))[0] > int(PARTIALS["max.message.bytes"])


def of_one_user(count: int) -> list[Message]:
    """Return views of one user, with ids of 512 characters."""
    ids = (hashlib.sha256(str(number).encode()).hexdigest() * 8 for number in range(count))
    return [
        message(
            look(f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}", "u1"), each
        )
        for number, each in enumerate(ids)
    ]


def test_a_batch_of_one_user_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """9,000 events of one user in a batch are state in several records; one would be too large."""
    events = of_one_user(9_000)
    assert largest(events)[1] < int(CHANGELOG["max.message.bytes"]) / 2
    monkeypatch.setattr(changelog, "_LARGE", 2**40)
    assert largest(events)[1] > int(CHANGELOG["max.message.bytes"])


def closed_sizes() -> list[int]:
    """Return the sizes of the records of a day in which 360,000 times to a purchase were closed."""
    table = Sums(["waits"], {"waits"}, [])
    for hour in range(24):
        bucket = 20_413 * DAY + hour * HOUR
        table.put((0, "waits", bucket), {10**9 + hour * 15_000 + n: 1 for n in range(15_000)})
        assert [(0, "waits", bucket)] == list(table.close("waits", bucket))
    return [len(closed_value(each)) for each in table.closed().values()]


def test_what_is_closed_of_a_large_day_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times differ to the millisecond: an hour of a large store fits a record."""
    assert max(closed_sizes()) < int(PARTIALS["max.message.bytes"]) / 8
    monkeypatch.setattr(sums, "_BY_THE_HOUR", set())
    assert max(closed_sizes()) > int(PARTIALS["max.message.bytes"])


def test_no_record_is_larger_than_a_segment() -> None:
    """A broker refuses a batch that is larger than a segment, whatever else is allowed."""
    for spec in (PARTIALS, CHANGELOG):
        assert int(spec["max.message.bytes"]) <= int(spec["segment.bytes"])


@pytest.mark.parametrize("size", [100, 3_000])
def test_large_sums_stay_exact(size: int) -> None:
    """3,000 orders of 44 trillion each are 132 quadrillion, in small batches and in one."""
    events = [message(buy("10:04:00", f"u{n}", order=f"o{n}", g1=4.4e13)) for n in range(3_000)]
    minute = plain(run(events, batch=size))["revenue_per_minute|2025-11-21T10:04:00Z|"]
    assert "132000000000000000.00" == minute["value"]


@pytest.mark.parametrize("time", ["0001-01-01T00:10:00Z", "2100-12-31T23:59:59.999Z"])
def test_the_first_and_the_last_year_have_windows(time: str) -> None:
    """A window that begins in the year 0 is spelled as the batch spells it."""
    events = [message(each | {"timestamp": time}) for each in (look("", "u1"), search("", "u1"))]
    assert oracle(events) == plain(run(events))
