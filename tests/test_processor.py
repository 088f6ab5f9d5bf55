"""The processor says what the batch oracle says, whatever order, batches and partitions."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from steamlab.errors import TopicError
from steamlab.events import Decoded
from steamlab.metrics import read_file, read_lines, to_tables
from steamlab.processor.chapters import CHAPTERS, chapters_of
from steamlab.processor.first_stage import FirstStage, Message
from steamlab.settings import data_path
from steamlab.windows import MINUTE, are_late
from tests.metric_cases import CASES, Case, expand
from tests.processing import Both, decoded, histories, oracle, oracle_of, plain, run

CALM = settings(
    max_examples=8, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
GRACE_MS = 300_000


def shuffled(messages: Sequence[Message], seed: int) -> list[Message]:
    """Put messages into another order, some of them twice."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    mixed = [*messages, *chance.sample(list(messages), len(messages) // 3)]
    chance.shuffle(mixed)
    return mixed


def unique(messages: Sequence[Message]) -> list[Decoded]:
    """Decode messages, each once, in order of arrival."""
    first = {str(each.headers): each for each in reversed(messages)}
    return [decoded(each) for each in reversed(first.values())]


@CALM
@given(histories(), st.integers(0, 999), st.integers(1, 9), st.integers(1, 3), st.integers(-1, 4))
def test_any_order_batches_partitions_and_restarts(
    messages: list[Message], seed: int, batch: int, partitions: int, restart_at: int
) -> None:
    """Shuffled, doubled, cut anyhow, in 1 to 3 partitions, restarted: the oracle's values."""
    mixed = shuffled(messages, seed)
    seen = plain(run(mixed, batch=batch, partitions=partitions, restart_at=restart_at))
    assert oracle(messages) == seen


@pytest.mark.parametrize("names", [*({each.name} for each in CHAPTERS), {"sales", "products"}])
@CALM
@given(histories(), st.integers(0, 999), st.integers(1, 9), st.integers(-1, 4))
def test_some_chapters_alone(
    names: set[str], messages: list[Message], seed: int, batch: int, restart_at: int
) -> None:
    """Who counts some chapters has the same records of them, and no others."""
    chapters = chapters_of(names)
    mixed = shuffled(messages, seed)
    seen = plain(run(mixed, batch=batch, restart_at=restart_at, chapters=chapters))
    metrics = {name for chapter in chapters for name in chapter.names}
    expected = {key: each for key, each in oracle(messages).items() if each["metric"] in metrics}
    assert expected == seen


def test_the_state_of_some_chapters_is_not_that_of_all() -> None:
    """What was not kept cannot be made up: the error names both, and the repair."""
    output = FirstStage(chapters=chapters_of({"sales"})).process([])
    FirstStage(chapters=chapters_of({"sales"})).restore(output.changelog, {})
    with pytest.raises(TopicError, match=r"sales, funnel, .* is that of sales\. .*--prefix"):
        FirstStage().restore(output.changelog, {})


@CALM
@given(histories(40), st.integers(1, 9), st.integers(-1, 6))
def test_in_order_nothing_is_late_and_old_state_is_not_missed(
    messages: list[Message], batch: int, restart_at: int
) -> None:
    """In order, with 5 minutes of grace and state forgotten on the way: the oracle's values."""
    seen = run(messages, batch=batch, grace_ms=GRACE_MS, restart_at=restart_at)
    assert oracle(messages) == plain(seen)


@CALM
@given(histories(40), st.integers(0, 999), st.integers(1, 9))
def test_what_is_final_stays(messages: list[Message], seed: int, batch: int) -> None:
    """However late events come, a record that was published as final is not published again."""
    both, final = Both(grace_ms=GRACE_MS), set[str]()
    mixed = shuffled(messages, seed)
    for begin in range(0, len(mixed), batch):
        changed = both.process(mixed[begin : begin + batch])
        assert set() == final & changed.keys()
        final |= {key for key, record in changed.items() if record and record["final"]}


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.at is None], ids=lambda case: case.fact
)
def test_definition_at_its_edge(case: Case) -> None:
    """The cases of the batch oracle hold, event by event."""
    accepted = read_lines([json.dumps(event).encode() for event in case.events]).accepted
    seen = run(accepted, batch=1)
    for short, fields in case.expected.items():
        record = seen.get(expand(short))
        shown: Any = record
        if record is not None and fields is not None:
            shown = {name: record.get(name) for name in fields}
            fields = {name: value for name, value in fields.items() if name != "final"}
            shown.pop("final", None)
        assert fields == shown, short


@pytest.mark.parametrize("batch", [1, 7, 100])
@pytest.mark.parametrize("name", ["golden", "dirty"])
def test_golden_streams(name: str, batch: int) -> None:
    """Both golden streams, with enough grace: every record of the batch oracle."""
    accepted = read_file(str(data_path(f"golden/{name}.jsonl"))).accepted
    assert oracle_of(accepted) == plain(run(accepted, batch=batch))


def arrivals() -> list[tuple[str, Message]]:
    """Return the dirty stream as records, with their names, in order of arrival."""
    found = []
    for line in data_path("golden/dirty.jsonl").read_text(encoding="utf-8").splitlines():
        each = json.loads(line)
        headers = [("ce_arrived", each["arrivedAt"].encode())]
        value = json.dumps(each["value"]) if each.get("value") is not None else each.get("raw")
        sent = None if value is None else value.encode()
        found.append((each["n"], Message(each["topic"], each["key"].encode(), sent, headers)))
    return found


EXPECTED = json.loads(data_path("golden/expected.json").read_text(encoding="utf-8"))["dirty"]


def test_dirty_outcomes() -> None:
    """Each hostile record is refused by its code; duplicates and tombstones are counted."""
    named = arrivals()
    output = FirstStage().process([message for _, message in named])
    codes = {named[each.place][0]: f"dlq:{each.code}" for each in output.refused}
    outcomes = EXPECTED["outcome"].items()
    assert {n: said for n, said in outcomes if said.startswith("dlq")} == codes
    totals = EXPECTED["totals"]
    assert totals["accepted"] == output.accepted
    assert (totals["duplicate"], totals["tombstone"]) == (output.duplicates, output.tombstones)


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_late_order_misses_its_minute_and_not_its_hour(batch: int) -> None:
    """With 5 minutes of grace the order that comes 47 minutes late is late for its minute alone."""
    both = Both(grace_ms=GRACE_MS)
    messages = [message for _, message in arrivals()]
    for begin in range(0, len(messages), batch):
        both.process(messages[begin : begin + batch])
    expected = EXPECTED["streaming_grace_5min"]
    minutes = {
        record["windowStart"]: record["value"]
        for record in both.found.values()
        if record and record["metric"] == "revenue_per_minute"
    }
    assert expected["minute_windows_final"] == minutes
    hour = both.found["average_order_value|2025-11-21T10:00:00Z|"]
    assert hour and expected["hour_10_revenue_per_topic_stream_time"] == hour["numerator"]
    assert (1, 1, 0) == tuple(both.late[f"orders_{of}"] for of in ("minute", "rolling", "hour"))


@CALM
@given(histories(30), st.integers(0, 999), st.integers(1, 9))
def test_orders_that_are_late_for_their_minute(
    messages: list[Message], seed: int, batch: int
) -> None:
    """The refused set is the one that the watermark of purchases predicts, one by one."""
    accepted = unique(shuffled(messages, seed))
    table = to_tables(accepted)
    is_late = are_late(table.arrivals, ["store.purchases"], MINUTE).to_numpy()
    is_order = (table.arrivals["topic"] == "store.purchases").to_numpy()
    both = Both(grace_ms=GRACE_MS)
    for begin in range(0, len(accepted), batch):
        both.process(accepted[begin : begin + batch])
    kept = [each for each, late in zip(accepted, is_late, strict=True) if not late]
    expected = {name: record for name, record in oracle_of(kept).items() if "per_minute" in name}
    seen = {name: record for name, record in plain(both.found).items() if "per_minute" in name}
    assert expected == seen
    counted = both.late["orders_minute"] + both.late["too_old store.purchases"]
    assert int((is_late & is_order).sum()) == counted
