"""Who read which partition when, worked out from journals written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from steamlab.members.journal import Journal, JournalReader
from steamlab.members.timeline import held, timeline, unread

P0, P1 = ["views", 0], ["views", 1]


def entry(t: float, what: str, *places: list[Any]) -> dict[str, Any]:
    """One journal entry."""
    return {"t": t, "what": what} | ({"partitions": list(places)} if places else {})


def polls(*times: float) -> list[dict[str, Any]]:
    """Polls at these times."""
    return [entry(t, "read") for t in times]


def rows(frame: pd.DataFrame) -> list[tuple[int, str, float, float]]:
    """The stretches as tuples: partition, member, begin, end."""
    chosen = frame[["partition", "member", "begin", "end"]]
    return [tuple(row) for row in chosen.itertuples(index=False)]


def test_reading_begins_with_the_first_poll_and_goes_on_until_now() -> None:
    """A partition is read from the first poll after it was assigned."""
    journal = [entry(1.0, "assigned", P0), *polls(1.5, 2.0, 2.5)]
    assert [(0, "A", 1.5, 3.0)] == rows(timeline({"A": journal}, now=3.0))


def test_reading_ends_when_a_partition_is_revoked() -> None:
    """What is revoked ends; what stays goes on without a pause."""
    journal = [entry(0.0, "assigned", P0, P1), *polls(0.5, 1.0), entry(1.2, "revoked", P1)]
    journal += polls(1.5)
    assert [(0, "A", 0.5, 2.0), (1, "A", 0.5, 1.2)] == rows(timeline({"A": journal}, now=2.0))


@pytest.mark.parametrize("end", ["killed", "left", "failed"])
def test_a_member_that_ends_reads_nothing_more(end: str) -> None:
    """A killed member's partitions are read until the kill, however long nobody misses it."""
    journal = [entry(0.0, "assigned", P0), *polls(0.5, 1.0), entry(1.3, end)]
    assert [(0, "A", 0.5, 1.3)] == rows(timeline({"A": journal}, now=9.0))


def test_a_frozen_member_keeps_its_partition_and_does_not_read_it() -> None:
    """Between freezing and the first poll after thawing nobody reads."""
    journal = [entry(0.0, "assigned", P0), *polls(0.5, 1.0), entry(1.2, "frozen")]
    journal += [entry(4.0, "thawed"), *polls(4.1)]
    assert [(0, "A", 0.5, 1.2), (0, "A", 4.1, 5.0)] == rows(timeline({"A": journal}, now=5.0))
    assert {("views", 0)} == held(journal)


def test_a_member_that_is_evicted_while_frozen_has_nothing_afterwards() -> None:
    """`lost` ends what a frozen member still had; reading had ended with the freezing."""
    journal = [entry(0.0, "assigned", P0), *polls(0.5, 1.0), entry(1.2, "frozen")]
    journal += [entry(4.0, "thawed"), entry(4.1, "lost", P0), *polls(4.2)]
    assert [(0, "A", 0.5, 1.2)] == rows(timeline({"A": journal}, now=5.0))
    assert set() == held(journal)


def test_slow_work_between_two_polls_is_not_reading() -> None:
    """More than a second without a poll is a pause, a shorter one is not."""
    journal = [entry(0.0, "assigned", P0), *polls(0.5, 1.4, 4.0, 4.5)]
    assert [(0, "A", 0.5, 1.4), (0, "A", 4.0, 5.0)] == rows(timeline({"A": journal}, now=5.0))


def test_who_went_silent_is_counted_until_the_last_poll() -> None:
    """A stretch that is open at `now` ends with the last poll, if that was long ago."""
    journal = [entry(0.0, "assigned", P0), *polls(0.5, 1.0)]
    assert [(0, "A", 0.5, 1.0)] == rows(timeline({"A": journal}, now=5.0))
    late = [*journal, entry(4.0, "lost", P0)]
    assert [(0, "A", 0.5, 1.0)] == rows(timeline({"A": late}, now=5.0))


def test_unread_counts_what_nobody_covers() -> None:
    """Pauses before, between and after the stretches; overlapping ones are not counted twice."""
    frame = pd.DataFrame(
        [
            ("views", 0, "A", 2.0, 4.0),
            ("views", 0, "B", 3.5, 5.0),
            ("views", 0, "A", 7.0, 8.0),
            ("views", 1, "A", 0.0, 10.0),
        ],
        columns=["topic", "partition", "member", "begin", "end"],
    )
    found = unread(frame, [("views", 0), ("views", 1), ("views", 2)], 1.0, 10.0)
    assert [5.0, 0.0, 9.0] == found["unread"].to_list()  # 1-2, 5-7, 8-10; none; all of it
    assert [2.0, 0.0, 9.0] == found["longest"].to_list()


def test_a_half_written_line_is_not_read(tmp_path: Path) -> None:
    """A reader takes whole lines only, and the rest once it is there."""
    path = tmp_path / "A.jsonl"
    reader = JournalReader(path)
    assert [] == reader.entries()
    Journal(path).write("began", pid=7)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"t": 1.5, "wh')
    assert ["began"] == [each["what"] for each in reader.entries()]
    path.write_bytes(whole + b'{"t": 1.5, "what": "left"}\n')
    assert ["began", "left"] == [each["what"] for each in reader.entries()]
