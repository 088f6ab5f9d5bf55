"""Consumer groups: what the broker keeps of them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from confluent_kafka import OFFSET_INVALID, Consumer, TopicPartition

from steamlab.groups import delete_group


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
