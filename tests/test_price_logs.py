"""What check 04.7 sees on the broker itself, where no setting read back would tell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from steamlab.checks import ground, price_logs
from steamlab.lesson import Lesson

pytestmark = [pytest.mark.broker, pytest.mark.usefixtures("kafka")]

RIGHT = {
    "cleanup.policy": "compact",
    "segment.ms": str(price_logs.HOUR_MS),
    "min.cleanable.dirty.ratio": "0.05",
    "delete.retention.ms": "1000",
}


@pytest.fixture
def lesson() -> Iterator[Lesson]:
    """A lesson that the course does not have."""
    made = Lesson("97")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("changed", "held"),
    [
        ({"cleanup.policy": "delete", "retention.ms": "-1"}, "superseded long ago"),
        ({"segment.ms": str(1000 * price_logs.HOUR_MS)}, "superseded long ago"),
        ({"min.cleanable.dirty.ratio": "0.9"}, "the old prices of four games"),
        ({"delete.retention.ms": "86400000"}, "the tombstone of a delisted game"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_the_broker_itself_refuses_each_wrong_setting(
    lesson: Lesson, changed: dict[str, str], held: str
) -> None:
    """Each of the four settings, made wrong, leaves something behind that the check names."""
    topic = ground.fresh(lesson, "table", partitions=1, config=RIGHT | changed)
    verdict = price_logs.judge_compaction(lesson, topic, timeout=4)
    assert "not yet" == verdict.state
    assert held in verdict.text


def test_the_broker_itself_accepts_another_way(lesson: Lesson) -> None:
    """`max.compaction.lag.ms` closes and cleans segments too, whatever the dirty ratio."""
    config = {"cleanup.policy": "compact", "delete.retention.ms": "1000"}
    config |= {"max.compaction.lag.ms": str(price_logs.HOUR_MS)}
    topic = ground.fresh(lesson, "table", partitions=1, config=config)
    assert "ok" == price_logs.judge_compaction(lesson, topic).state
