"""The store's topics as data: their names, partitions and settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "ALL_TOPICS",
    "CONTROL_TOPIC",
    "DEAD_LETTER_TOPIC",
    "METRICS_TOPIC",
    "STORE_TOPICS",
    "TopicSpec",
    "base_name",
]

_DAY_MS = 24 * 60 * 60 * 1000
_LESSON = re.compile(r"^\d\d[a-z]?\.")


@dataclass(frozen=True)
class TopicSpec:
    """A topic as it should be: `config` holds Kafka's own topic settings, as strings."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


def _raw(name: str) -> TopicSpec:
    return TopicSpec(name, 6, {"retention.ms": str(7 * _DAY_MS)})


STORE_TOPICS: tuple[TopicSpec, ...] = (
    _raw("store.game-views"),
    _raw("store.wishlist-events"),
    _raw("store.cart-events"),
    _raw("store.purchases"),
    _raw("store.searches"),
)
METRICS_TOPIC = TopicSpec(
    "analytics.metrics",
    3,
    {"cleanup.policy": "compact,delete", "retention.ms": str(30 * _DAY_MS)},
)
# Kept longer than the raw events: whoever repairs a bad one needs it after the others are gone. And
# larger: the largest event that Kafka takes by default comes with headers that say what is wrong.
DEAD_LETTER_TOPIC = TopicSpec(
    "store.dead-letters",
    3,
    {"retention.ms": str(30 * _DAY_MS), "max.message.bytes": str(2 * 1024 * 1024)},
)
CONTROL_TOPIC = TopicSpec("steamlab.control", 1, {"cleanup.policy": "compact"})
ALL_TOPICS: tuple[TopicSpec, ...] = (*STORE_TOPICS, METRICS_TOPIC, DEAD_LETTER_TOPIC, CONTROL_TOPIC)


def base_name(topic: str) -> str:
    """Return a topic's name without its lesson: `05b.store.searches` -> `store.searches`."""
    return _LESSON.sub("", topic)
