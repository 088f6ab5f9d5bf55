"""Consumer groups: what the broker keeps of them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, Producer, TopicPartition

from steamlab import groups
from steamlab.checks import ground
from steamlab.errors import BrokerError, DeadlineError
from steamlab.group_board import GroupBoard
from steamlab.groups import delete_group, lag
from steamlab.lesson import Lesson


@pytest.mark.broker
def test_a_groups_offsets_are_deleted_with_it(kafka: dict[str, Any], topic: str) -> None:
    """What the group had committed is forgotten; a group that is not there is no error."""
    group = kafka | {"group.id": f"test-{uuid.uuid4().hex[:10]}"}
    at = TopicPartition(topic, 0, 3)
    with Consumer(group) as consumer:
        consumer.commit(offsets=[at], asynchronous=False)
        assert 3 == consumer.committed([at], timeout=10)[0].offset
    for _ in range(2):
        delete_group(kafka, group["group.id"])
    with Consumer(group) as consumer:
        assert OFFSET_INVALID == consumer.committed([at], timeout=10)[0].offset


def _answers(monkeypatch: pytest.MonkeyPatch, *codes: int) -> None:
    """Let the broker answer the next deletions with these errors, and then with none."""
    left = [KafkaError(code) for code in codes]
    monkeypatch.setattr(groups, "_try_to_delete", lambda *_: left.pop(0) if left else None)


def test_a_broker_that_is_not_ready_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What passes by itself is waited for; a refusal is not."""
    kafka = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
    _answers(monkeypatch, KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
    delete_group(kafka, "g")
    _answers(monkeypatch, KafkaError.GROUP_AUTHORIZATION_FAILED)
    with pytest.raises(BrokerError, match="did not delete"):
        delete_group(kafka, "g")


@pytest.mark.broker
def test_lag_is_what_can_still_be_read(kafka: dict[str, Any], topic: str) -> None:
    """Never committed: from the beginning on; deleted before it was read: no lag."""
    group = f"test-{uuid.uuid4().hex[:10]}"
    with Producer(kafka) as producer:
        for n in range(30):
            producer.produce(topic, value=str(n), partition=n % 3)
    lesson = Lesson("98")
    ground.delete_until(lesson, topic, 1, 6)
    ground.delete_until(lesson, topic, 2, 6)
    with Consumer(kafka | {"group.id": group}) as consumer:
        done = [TopicPartition(topic, 0, 3), TopicPartition(topic, 1, 2)]
        consumer.commit(offsets=done, asynchronous=False)
    assert [7, 4, 4] == lag(kafka, group, topic)["lag"].tolist()
    board = GroupBoard(kafka, group, topic, list)
    with pytest.raises(DeadlineError, match="15 records behind"):
        board.catch_up(timeout=0.2)
    with Consumer(kafka | {"group.id": group}) as consumer:
        done = [TopicPartition(topic, partition, 10) for partition in range(3)]
        consumer.commit(offsets=done, asynchronous=False)
    assert board is board.catch_up(timeout=10)
    board.stop()
    lesson.close()


@pytest.mark.broker
@pytest.mark.usefixtures("kafka")
def test_the_broker_deals_range_by_topic_and_roundrobin_in_one_row() -> None:
    """The fact that lesson 05 judges by, from groups of the check's own."""
    lesson = Lesson("98")
    two, names = {"carts": 2, "wishes": 2}, ["dan", "ann", "cleo", "ben"]
    says = {way: ground.dealt(lesson, two, names, way) for way in ("range", "roundrobin")}
    assert {"ann": 2, "ben": 2, "cleo": 0, "dan": 0} == {
        name: len(says["range"][name]) for name in sorted(names)
    }
    assert [("carts", 1), ("wishes", 1)] == says["range"]["ben"]
    assert {name: 1 for name in names} == {name: len(says["roundrobin"][name]) for name in names}
    lesson.close()
