"""Exercise 00.2 looks whether the plug was pulled while the shop sold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from steamlab.kafka.cluster import Cluster
from steamlab.lesson import Lesson

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("kafka")]
RIGHT = "has everything, also what was sold meanwhile"


@pytest.fixture(scope="module")
def lesson() -> Iterator[Lesson]:
    """A lesson with a broker of its own to break."""
    made = Lesson("97")
    made.cluster()
    yield made
    made.close()


def sell(lesson: Lesson, cluster: Cluster, *, orders: int) -> str:
    """Sell into the topic of the exercise, to the end; return what the check says."""
    topic = f"{lesson.prefix}.store.purchases"
    lesson.store_on(cluster).begin(only=topic, speed=100_000, events=orders).wait()
    return repr(lesson.check("00.2", RIGHT))


def test_the_plug_has_to_be_pulled_in_the_middle(lesson: Lesson) -> None:
    """Without a kill, and after a kill behind the last order, the right answer is not yet ok."""
    cluster = lesson.own_cluster
    assert cluster
    lesson.topic("store.purchases", partitions=1, cluster=cluster)
    in_peace = "not yet, because the shop sold 20 orders in peace"
    assert sell(lesson, cluster, orders=20).startswith(in_peace)
    cluster.kill(1)
    cluster.start_node(1)
    assert repr(lesson.check("00.2", RIGHT)).startswith(in_peace)
    assert sell(lesson, cluster, orders=20).startswith(
        "ok: every order that the shop was told is safe"
    )
