"""A lesson's scope: its names, its clean-up, its reruns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, Message, Producer

from steamlab import topics
from steamlab.errors import BrokerError, LessonError
from steamlab.lesson import Lesson
from steamlab.settings import settings

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("kafka")]


@pytest.fixture
def lesson() -> Iterator[Lesson]:
    """A lesson that the course does not have."""
    made = Lesson("98")
    yield made
    made.close()


def test_a_number_has_two_digits() -> None:
    """A wrong number is answered with the right form."""
    with pytest.raises(LessonError, match=r"two digits, and this is \'3\'\. Write it as in Lesson"):
        Lesson("3")


def test_topics_carry_the_lesson_and_are_fresh(lesson: Lesson) -> None:
    """The same call again gives the same name, and an empty topic."""
    name = lesson.topic("store.searches", partitions=2)
    assert "98.store.searches" == name
    lesson.store.play("1 hour", only=name)
    assert 0 < len(lesson.read(name))
    assert name == lesson.topic("store.searches", partitions=2)
    assert 0 == len(lesson.read(name))


def test_a_topic_name_alone_makes_room(lesson: Lesson) -> None:
    """`topic_name` deletes what is there, so that a cell that creates it can run again."""
    name = lesson.topic("store.searches")
    assert name == lesson.topic_name("store.searches")
    with pytest.raises(topics.TopicError):
        lesson.offsets(name)


def test_two_kernels_never_share_topics(lesson: Lesson) -> None:
    """While this process has lesson 98, another one gets names of its own."""
    code = (
        'from steamlab import Lesson; lesson = Lesson("98"); print(lesson.prefix); lesson.close()'
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=os.environ
    )
    assert ("98", "98b") == (lesson.prefix, other.stdout.strip())


def test_a_letter_leaves_the_plain_topics_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lesson that begins with a letter runs beside the notebook that has none, and another."""
    monkeypatch.setenv("STEAMLAB_LETTER", "b")
    beside = Lesson("96")
    code = (
        "from steamlab import Lesson; lesson = Lesson('96'); print(lesson.prefix); lesson.close()"
    )
    prefixes = [beside.prefix]
    for letter in ("b", ""):
        surroundings = os.environ | {"STEAMLAB_LETTER": letter}
        command = [sys.executable, "-c", code]
        said = subprocess.run(
            command, capture_output=True, text=True, timeout=120, env=surroundings
        )
        prefixes.append(said.stdout.strip())
    beside.close()
    assert ["96b", "96c", "96"] == prefixes


def test_making_a_lesson_again_ends_what_it_started() -> None:
    """Running the first cell again leaves no store of before."""
    first = Lesson("97")
    name = first.topic("store.searches", partitions=1)
    first.store.begin(only=name, speed=1)
    assert first.store.running
    second = Lesson("97")
    assert not first.store.running
    assert "97" == second.prefix
    second.close()


def test_a_group_forgets(lesson: Lesson) -> None:
    """An exercise on a group begins without committed offsets, each time."""
    from confluent_kafka import Consumer, TopicPartition

    name = lesson.topic("store.searches", partitions=1)
    group = lesson.group("readers")
    place = TopicPartition(name, 0, 0)
    with Consumer(lesson.kafka | {"group.id": group}) as consumer:
        consumer.commit(offsets=[place], asynchronous=False)
        assert 0 == consumer.committed([place], timeout=10)[0].offset
    assert "98.readers" == lesson.group("readers") == group
    with Consumer(lesson.kafka | {"group.id": group}) as consumer:
        assert 0 > consumer.committed([place], timeout=10)[0].offset


@pytest.fixture
def no_receipt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A place for a receipt, empty: not that of a notebook that runs beside."""
    monkeypatch.setenv("STEAMLAB_RECEIPT", str(tmp_path / "receipt.json"))
    return settings().receipt


def place_order(lesson: Lesson, topic: str, **fields: str) -> None:
    """Send an order as lesson 00 does."""
    with Producer(lesson.kafka) as producer:
        value = json.dumps(fields)
        producer.produce(topic, value, fields["userId"], on_delivery=lesson.keep_receipt)


def test_the_receipt_says_where_the_order_lies(lesson: Lesson, no_receipt: Path) -> None:
    """Topic, partition and offset are the delivery report's, and so those of the record."""
    topic = lesson.topic("store.purchases", partitions=1)
    place_order(lesson, topic, userId="user_other", orderId="order_1")
    place_order(lesson, topic, userId="user_me", orderId="order_77")
    wanted = {"topic": topic, "partition": 0, "offset": 1, "key": "user_me"}
    assert wanted | {"userId": "user_me", "orderId": "order_77"} == lesson.receipt()
    assert lesson.read(topic).iloc[1].to_dict() == lesson.receipt()


def test_an_order_that_is_gone_is_placed_again(lesson: Lesson, no_receipt: Path) -> None:
    """After Kafka lost the topic, or has another record there, the same order lies elsewhere."""
    topic = lesson.topic("store.purchases", partitions=1)
    place_order(lesson, topic, userId="user_me", orderId="order_77")
    lesson.topic("store.purchases", partitions=1)
    assert ("00.receipt", "order_77") == of(lesson.receipt(), "topic", "orderId")
    place_order(lesson, topic, userId="user_me", orderId="order_78")
    lesson.topic("store.purchases", partitions=1)
    with Producer(lesson.kafka) as producer:
        producer.produce(topic, key="user_me", value=json.dumps({"orderId": "order_79"}))
    assert ("00.receipt", "order_78") == of(lesson.receipt(), "topic", "orderId")
    topics.delete(lesson.kafka, [topic])
    again = lesson.receipt()
    assert again == lesson.receipt()
    assert "order_78" in set(lesson.read("00.receipt")["orderId"])


@pytest.mark.parametrize("damage", [None, "{", "[1]", '{"orderId": "order_77"}'])
def test_a_missing_receipt_has_a_stand_in(
    lesson: Lesson, no_receipt: Path, damage: str | None
) -> None:
    """Where lesson 00 was never run, or the file is damaged, a sample order is placed and kept."""
    if damage:
        no_receipt.write_text(damage, "utf-8")
    receipt = lesson.receipt()
    assert ("user_me", "order_mine", 5) == of(receipt, "userId", "orderId", "partition")
    assert receipt == lesson.receipt()


def test_an_order_that_failed_leaves_no_receipt(lesson: Lesson, no_receipt: Path) -> None:
    """A report with an error says so, and keeps nothing."""
    error = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
    with pytest.raises(BrokerError, match="Your order was not stored"):
        lesson.keep_receipt(error, cast(Message, None))
    assert not no_receipt.exists()


def of(receipt: dict[str, Any], *names: str) -> tuple[Any, ...]:
    """Return some of a receipt's fields."""
    return tuple(receipt[name] for name in names)
