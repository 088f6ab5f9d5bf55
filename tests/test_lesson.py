"""A lesson's scope: its names, its clean-up, its reruns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from steamlab import topics
from steamlab.errors import LessonError
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


def test_the_receipt_survives_and_has_a_stand_in(lesson: Lesson) -> None:
    """The learner's order is kept as it was; before that, and after damage, a sample serves."""
    path = settings().home / "receipt.json"
    before = path.read_bytes() if path.exists() else None
    try:
        lesson.keep_receipt({"orderId": "order_77", "userId": "user_me"})
        assert {"orderId": "order_77", "userId": "user_me"} == lesson.receipt()
        path.write_text("{", "utf-8")
        assert "user_me" == lesson.receipt()["userId"]
        path.write_text(json.dumps([1]), "utf-8")
        assert "order_mine" == lesson.receipt()["orderId"]
    finally:
        path.unlink() if before is None else path.write_bytes(before)
