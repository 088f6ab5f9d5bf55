"""The store as a notebook holds it: play, begin, steer, stop, and the same events each time."""

from __future__ import annotations

import json
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from steamlab import topics
from steamlab.client import client_config
from steamlab.errors import BrokerError, DeadlineError, LessonError, TopicError
from steamlab.replay.control import set_control
from steamlab.simulator import Plan
from steamlab.store import Store

VIEWS = "store.game-views"


@pytest.fixture
def mapping(kafka: dict[str, Any]) -> Iterator[dict[str, str]]:
    """The store's five topics under names of this test's own."""
    prefix = f"test{uuid.uuid4().hex[:8]}."
    names = {spec.name: prefix + spec.name for spec in topics.STORE_TOPICS}
    topics.create(kafka, [topics.TopicSpec(name, 2) for name in names.values()])
    yield names
    topics.delete(kafka, [*names.values(), prefix + "steamlab.control"])


@pytest.fixture
def store(kafka: dict[str, Any], mapping: dict[str, str]) -> Iterator[Store]:
    """A store that plays into those topics."""
    made = Store(kafka, topics=mapping)
    yield made
    made.stop()


def wait_until(holds: Callable[[], bool], timeout: float = 30) -> None:
    """Poll until it holds; fail at the deadline."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.01)


def stored(kafka: dict[str, Any], topic: str) -> list[tuple[int, bytes, bytes, str]]:
    """Return partition, key, value and event id of every record, in the order of the log."""
    ends = topics.offsets(kafka, topic)
    wanted = int((ends["end"] - ends["begin"]).sum())
    found = []
    with Consumer(kafka | {"group.id": "reads", "enable.auto.commit": False}) as consumer:
        starts = zip(ends["partition"].tolist(), ends["begin"].tolist(), strict=True)
        consumer.assign([TopicPartition(topic, *start) for start in starts])
        deadline = time.monotonic() + 60
        while len(found) < wanted:
            assert time.monotonic() < deadline, f"{len(found)} of {wanted} read"
            for message in consumer.consume(5000, 0.5):
                headers: Any = dict(message.headers() or [])
                row = (message.partition(), message.key(), message.value(), headers["ce_id"])
                found.append(row)
    return sorted(found, key=lambda row: row[0])


def threads() -> list[str]:
    """Return the names of the store's threads that live."""
    return [thread.name for thread in threading.enumerate() if "steamlab" in thread.name]


@pytest.mark.parametrize("scale", [0, -1, 11, math.nan])
def test_a_scale_of_no_store_is_refused(scale: float) -> None:
    """Before anything is started, in words."""
    with pytest.raises(LessonError, match="makes no sense"):
        Store(client_config("127.0.0.1:1"), scale=scale)


def test_the_repr_says_nothing_that_changes() -> None:
    """Two runs of a cell that ends in the store show the same words: no times, no counts."""
    store = Store(client_config("127.0.0.1:1"), seed=3, scale=0.02)
    expected = {"text/plain": "Store of 5 topics, seed 3, scale 0.02"}
    assert expected == store._repr_mimebundle_()


def test_nothing_is_opened_before_it_plays() -> None:
    """Making a store reaches for no Kafka, so it costs nothing where there is none."""
    before = threads()
    store = Store(client_config("127.0.0.1:1"))
    assert (before, 0, "2025-11-17T00:00:00Z") == (threads(), store.sent, store.now)


@pytest.mark.parametrize("start", ["yesterday", "2025-11-17", "2025-11-17T00:00:00", ""])
def test_a_start_needs_its_time_zone(start: str) -> None:
    """An instant that could mean two things is refused, with the form to use."""
    with pytest.raises(LessonError, match="2025-11-17T00:00:00Z"):
        Store(client_config("127.0.0.1:1"), start=start)


def test_other_durations_are_refused_before_anything_is_sent() -> None:
    """No Kafka is needed to be told what a duration looks like."""
    with pytest.raises(LessonError, match='"90 minutes"'):
        Store(client_config("127.0.0.1:1")).play("3 moons")


def test_a_topic_that_is_not_the_stores_is_refused() -> None:
    """The refusal lists the topics that the store can fill."""
    with pytest.raises(TopicError, match=r"nothing to 'views'.*store\.game-views"):
        Store(client_config("127.0.0.1:1")).play("1 day", only="views")


def test_no_kafka_is_one_sentence() -> None:
    """`play` says it in words, not with a client's trace."""
    with pytest.raises(BrokerError, match="does not answer"):
        Store(client_config("127.0.0.1:1")).play("1 hour")


@pytest.mark.broker
def test_a_missing_topic_is_said_at_once(kafka: dict[str, Any]) -> None:
    """Only the topics that are asked for must exist, but those must."""
    store = Store(kafka, topics={VIEWS: "test-not-there.store.game-views"})
    with pytest.raises(TopicError, match=r"no topic test-not-there\.store\.game-views"):
        store.play("1 hour")


@pytest.mark.broker
def test_a_day_arrives_complete(kafka: dict[str, Any], store: Store, mapping: Any) -> None:
    """What was planned for the day is what the topics hold, and what `play` returns."""
    sent = store.play("1 day")
    planned = [0] * 5
    for chunk in Plan(days=1).chunks():
        for kind in chunk.kind.tolist():
            planned[kind] += 1
    ends = [int(topics.offsets(kafka, name)["end"].sum()) for name in mapping.values()]
    assert planned == ends
    assert sum(planned) == sent == store.acked
    assert 0 == store.failed


@pytest.mark.broker
def test_only_fills_one_topic_by_either_name(
    kafka: dict[str, Any], store: Store, mapping: dict[str, str]
) -> None:
    """A topic may be called as the lesson calls it, or as the store does."""
    first = store.play("2 hours", only=mapping[VIEWS])
    second = store.play("2 hours", only=[VIEWS])
    assert first == second > 0
    ends = {name: int(topics.offsets(kafka, here)["end"].sum()) for name, here in mapping.items()}
    assert {VIEWS: first + second} == {name: end for name, end in ends.items() if end}


@pytest.mark.broker
def test_the_same_seed_gives_the_same_log(
    kafka: dict[str, Any], store: Store, mapping: dict[str, str]
) -> None:
    """Played twice: the same records in the same order in every partition; another seed differs."""
    views = topics.TopicSpec(mapping[VIEWS], 2)
    logs = []
    for seed in (7, 7, 8):
        topics.recreate(kafka, views)
        Store(kafka, topics=mapping, seed=seed).play("6 hours", only=VIEWS)
        logs.append(stored(kafka, views.name))
    assert logs[0] == logs[1]
    assert logs[0] != logs[2]


@pytest.mark.broker
def test_begin_ends_after_exactly_so_many(
    kafka: dict[str, Any], store: Store, mapping: dict[str, str]
) -> None:
    """400 events of the chosen topics: the first 400 of the plan, then the thread is gone."""
    store.begin(events=400, only=VIEWS, speed=100_000)
    store.wait(60)
    found = stored(kafka, mapping[VIEWS])
    chunk = next(Plan(days=1).chunks())
    planned = [dict(headers)["ce_id"] for *_, headers in chunk.encode(0, 5000, {0})[:400]]
    assert sorted(planned) == sorted(event_id for *_, event_id in found)
    assert (400, 400, False) == (store.sent, store.acked, store.running)


@pytest.mark.broker
def test_beginning_again_ends_the_run_before(
    kafka: dict[str, Any], store: Store, mapping: dict[str, str]
) -> None:
    """A cell that runs twice leaves one store running, also where it made a new one."""
    before = len(threads())
    store.begin()
    store.begin()
    other = Store(kafka, topics=mapping).begin()
    assert (False, True) == (store.running, other.running)
    other.stop()
    wait_until(lambda: len(threads()) == before)


@pytest.mark.broker
def test_stop_confirms_what_was_sent(store: Store) -> None:
    """After `stop` every event sent is acknowledged; stopping twice is no error."""
    store.begin(speed=100_000)
    wait_until(lambda: store.sent > 50)
    store.stop()
    store.stop()
    assert (False, store.sent) == (store.running, store.acked)
    store.wait(1)


@pytest.mark.broker
def test_wait_has_a_deadline(store: Store) -> None:
    """A store that never ends is no cell that never ends."""
    store.begin()
    with pytest.raises(DeadlineError, match=r"still sending after 0\.2 s"):
        store.wait(0.2)


@pytest.mark.broker
def test_play_that_takes_too_long_is_ended(store: Store) -> None:
    """After its timeout nothing goes on in the background."""
    with pytest.raises(DeadlineError):
        store.play("2 weeks", timeout=0.05)
    wait_until(lambda: not store.running)


@pytest.mark.broker
def test_controls_reach_the_running_store(
    kafka: dict[str, Any], store: Store, mapping: dict[str, str]
) -> None:
    """Records on the control topic beside its topics change speed, scale and pause."""
    control = mapping[VIEWS].removesuffix(VIEWS) + "steamlab.control"
    store.begin(speed=1000)
    set_control(kafka, control, speed=50_000, scale=0.005, paused=True)
    wait_until(lambda: (50_000, 0.005, True) == (store.speed, store.scale, store.paused))
    store.set(paused=False)
    wait_until(lambda: not store.paused)
    reached = store.acked
    wait_until(lambda: store.acked > reached)


@pytest.mark.broker
def test_what_earlier_runs_set_does_not_linger(store: Store) -> None:
    """A paused store that begins again is not paused: the topic says what this run began with."""
    store.begin(speed=60)
    store.set(paused=True, speed=5)
    wait_until(lambda: store.paused)
    store.begin(speed=600)
    assert (600, False) == (store.speed, store.paused)


@pytest.mark.broker
def test_a_smaller_scale_admits_fewer_users_with_all_their_events(
    kafka: dict[str, Any], mapping: dict[str, str]
) -> None:
    """At a tenth of the planned scale about a tenth of the users come, and none of them in part."""
    half = Store(kafka, topics=mapping, scale=0.001, largest=0.01)
    half.play("1 day", only=VIEWS)
    found = {key for _, key, *_ in stored(kafka, mapping[VIEWS])}
    chunk = next(Plan(scale=0.01, days=1).chunks())
    planned = chunk.encode(0, len(chunk), {0})
    admit = chunk.admit[chunk.kind == 0].tolist()
    assert {
        key for (_, key, *_), chance in zip(planned, admit, strict=True) if chance < 0.1
    } <= found
    users = {key for _, key, *_ in planned}
    assert 0.07 < len(found) / len(users) < 0.13


@pytest.mark.broker
def test_a_scale_above_the_plan_is_refused_or_noted(
    kafka: dict[str, Any], store: Store, mapping: dict[str, str]
) -> None:
    """From code it is an error; from a stranger's record a note, and all planned users come."""
    with pytest.raises(LessonError, match=r"largest=0\.05"):
        store.set(scale=0.05)
    store.begin()
    control = mapping[VIEWS].removesuffix(VIEWS) + "steamlab.control"
    set_control(kafka, control, scale=0.05)
    wait_until(lambda: len(store.notes) == 1)
    assert "A scale of 0.05 is more than was planned: 0.01 it is." == store.notes[0]
    assert 0.01 == store.scale


@pytest.mark.broker
def test_sliders_only_send_control_records(
    kafka: dict[str, Any], store: Store, mapping: dict[str, str]
) -> None:
    """Moving a slider writes a record; whoever follows the topic sees it, as the store does."""
    store.begin(speed=1000)
    box = store.controls()
    speed, scale, paused, _ = box.children
    assert (1000, 0.01) == (speed.value, scale.value)
    paused.value = True
    speed.value = 200.0
    wait_until(lambda: (200, True) == (round(store.speed), store.paused))
    control = mapping[VIEWS].removesuffix(VIEWS) + "steamlab.control"
    with Consumer(kafka | {"group.id": "reads"}) as consumer:
        consumer.assign([TopicPartition(control, 0, 0)])
        records = [message for message in consumer.consume(5, 10)]
    values = {message.key(): json.loads(message.value() or b"") for message in records}
    assert (True, 200) == (values[b"paused"], round(values[b"speed"]))


def test_a_slider_shows_what_went_wrong_in_words() -> None:
    """An error in a slider is shown below it, with nothing of it taken as HTML."""
    from steamlab.widgets.sliders import sliders

    def send(**wanted: object) -> None:
        raise LessonError("No <b>store</b> runs.", repair="Begin it.")

    box = sliders(send, speed=60, scale=0.01, top=0.01)
    box.children[2].value = True
    assert "No &lt;b&gt;store&lt;/b&gt; runs. Begin it." == box.children[3].value


@pytest.mark.broker
def test_the_settings_speed_multiplies(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests turn the world's clock up from outside; what the store says stays its own."""
    monkeypatch.setenv("STEAMLAB_SPEED", "10000")
    store.begin(speed=100, events=300)
    store.wait(60)
    assert (300, 100) == (store.acked, store.speed)


@pytest.mark.broker
def test_threads_never_print(
    store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What ends a run is kept in `error`, raised by `wait`, and printed by nobody."""

    def broken(**options: object) -> Plan:
        raise LessonError("The plan broke.", repair="Mend it.")

    monkeypatch.setattr("steamlab.store.Plan", broken)
    store.begin()
    with pytest.raises(LessonError, match="The plan broke"):
        store.wait(30)
    assert isinstance(store.error, LessonError)
    assert ("", "") == capfd.readouterr()
