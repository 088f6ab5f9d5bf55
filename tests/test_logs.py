"""A topic's log, looked at: its files, its picture, and the wait for the broker's cleaning."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import pytest
from confluent_kafka import Producer

from steamlab import broker, logs, topics
from steamlab.errors import DeadlineError
from steamlab.logs import picture, segments, watch_log
from steamlab.topics import TopicSpec

_DAY_MS = 24 * 3600 * 1000


def test_an_offset_without_a_record_is_a_grey_box() -> None:
    """Offsets 0 and 2 of partition 0 and 0 of partition 1 hold nothing; 1 holds a record."""
    records = pd.DataFrame({"partition": [0], "offset": [1], "key": ["game_001"]})
    ends = pd.DataFrame({"partition": [0, 1], "begin": [0, 0], "end": [3, 1]})
    kept, gone = picture(records, ends).data
    assert ("game_001", [1]) == (kept.name, list(kept.customdata))
    assert ("×", [0, 2, 0], [0, 0, 1]) == (gone.name, list(gone.customdata), list(gone.y))
    assert gone.marker.color != kept.marker.color


def test_an_empty_log_has_a_picture() -> None:
    """Nothing left, nothing sent: a picture all the same."""
    empty = pd.DataFrame({"partition": [], "offset": [], "key": []})
    none, gone = (pd.DataFrame({"partition": [0], "begin": [n], "end": [n]}) for n in (0, 2))
    assert 0 == len(picture(empty, none).data)
    assert [0, 1] == list(picture(empty, gone).data[0].customdata)


@pytest.mark.broker
def test_segments_are_the_files_on_the_disk(kafka: dict[str, Any], topic: str) -> None:
    """Two records two days apart with segments of one day: two files, named by their offsets."""
    topics.recreate(kafka, TopicSpec(topic, 2, {"segment.ms": str(_DAY_MS), "retention.ms": "-1"}))
    _send(kafka, topic, 4, 2)
    found = segments(topic)
    files = ["0" * 20 + ".log", "0" * 19 + "1.log", "0" * 20 + ".log"]
    assert files == found["file"].tolist()
    assert [0, 0, 1] == found["partition"].tolist()
    assert [False, True, True] == found["active"].tolist()
    assert [True, True, False] == (found["bytes"] > 0).tolist()


@pytest.mark.broker
def test_another_topic_with_the_same_beginning_has_files_of_its_own(
    kafka: dict[str, Any], topic: str
) -> None:
    """`store` and `store-0` both have folders that begin with `store-`."""
    other = f"{topic}-0"
    topics.create(kafka, [TopicSpec(other, 1)])
    for name in (topic, other):
        topics.offsets(kafka, name)  # until then a new partition may have no folder
    try:
        assert 3 == len(segments(topic))
        assert 1 == len(segments(other))
    finally:
        topics.delete(kafka, [other])


@pytest.mark.broker
def test_another_brokers_disk_is_not_ours(
    kafka: dict[str, Any], topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a broker elsewhere the table is empty, and has its columns."""
    topics.offsets(kafka, topic)
    assert 3 == len(segments(topic))
    for elsewhere in ("127.0.0.1:1", "kafka.example:29092"):
        other = broker.Kafka(elsewhere, "id", 1, "docker")
        monkeypatch.setattr(logs.broker, "find", lambda other=other: other)
        assert (0, 4) == segments(topic).shape


@pytest.mark.broker
def test_a_lab_broker_given_by_its_address_is_found(
    kafka: dict[str, Any], topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `STEAMLAB_BOOTSTRAP` the files are those of the process that listens there."""
    topics.offsets(kafka, topic)
    expected = segments(topic)
    monkeypatch.setenv("STEAMLAB_BOOTSTRAP", kafka["bootstrap.servers"])
    assert 3 == len(expected)
    assert expected.equals(segments(topic))


@pytest.mark.broker
def test_it_waits_until_the_broker_has_cleaned(kafka: dict[str, Any], topic: str) -> None:
    """Records of a year ago in a topic of seven days: the wait ends with an empty log."""
    topics.recreate(kafka, TopicSpec(topic, 1, {"retention.ms": str(7 * _DAY_MS)}))
    _send(kafka, topic, 365, 365)
    assert watch_log(kafka, topic, until=lambda records: records.empty).empty
    assert [2, 2] == topics.offsets(kafka, topic).loc[0, ["begin", "end"]].tolist()


@pytest.mark.broker
def test_a_wait_for_what_never_comes_ends_in_a_sentence(kafka: dict[str, Any], topic: str) -> None:
    """The negative control: nobody cleans this topic up, and the error says what is there."""
    _send(kafka, topic, 0, 0)
    with pytest.raises(DeadlineError, match="saw 2 offsets given out, 2 records held"):
        watch_log(kafka, topic, until=lambda records: records.empty, timeout=0.5)


def _send(kafka: dict[str, Any], topic: str, *days: int) -> None:
    with Producer(kafka) as producer:
        for ago in days:
            at = int(time.time() * 1000) - ago * _DAY_MS
            producer.produce(topic, "{}", "user_a", partition=0, timestamp=at)
            producer.flush(10)
