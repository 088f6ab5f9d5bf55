"""What members do in tests. A process of its own imports this, and nothing heavy."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer

__all__ = ["follow", "wait_only"]


def follow(me: Any, group: str, topic: str) -> None:
    """Read a topic as a member of a group until told to leave."""
    config = {"group.id": group, "auto.offset.reset": "earliest"}
    quick = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 500}
    with Consumer(me.kafka | config | quick | {"auto.commit.interval.ms": 100}) as consumer:
        consumer.subscribe([topic], on_assign=me.assigned, on_revoke=me.revoked, on_lost=me.lost)
        while me.stays():
            me.saw(consumer.consume(100, timeout=0.1))


def wait_only(me: Any, group: str) -> None:
    """Do nothing until told to leave."""
    while me.stays():
        me.wait(1)
