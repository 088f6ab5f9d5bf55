"""The learner's own order: where Kafka put it, kept from lesson to lesson."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from steamlab import topics
from steamlab.errors import BrokerError, TopicError
from steamlab.frames import RECORD_COLUMNS, row
from steamlab.settings import settings

__all__ = ["find", "keep"]

# Where an order is placed again that is not on the broker any more; lesson 00 keeps its own topic.
_AGAIN = topics.TopicSpec("00.receipt", 6, {"retention.ms": "-1"})

# What lesson 00 offers to buy; placed where no order of the learner's is known.
_SAMPLE = {
    "eventType": "purchase",
    "timestamp": "2025-11-17T20:00:00Z",
    "userId": "user_me",
    "orderId": "order_mine",
    "games": [{"gameId": "game_010", "price": 19.99}],
    "totalAmount": 19.99,
    "paymentMethod": "steam_wallet",
    "region": "SE",
}


def keep(error: KafkaError | None, message: Message) -> None:
    """Keep an order's delivery report; raise `BrokerError` if it says that nothing is stored."""
    if error:
        raise BrokerError(
            f"Your order was not stored: {error.str()}.",
            repair="Run `steamlab status` to see whether Kafka is well, and the cell again.",
        )
    path = settings().receipt
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(row(message)), "utf-8")
    draft.replace(path)  # whole or not at all: another notebook may read it now


def find(kafka: Mapping[str, Any], *, timeout: float = 10) -> dict[str, Any]:
    """Return the kept order as `row` does: topic, partition, offset, key, and its fields.

    Where it does not lie there any more it is placed again, and where none was kept, a sample.
    """
    kept = _kept()
    if kept is None or not _lies_there(kafka, kept, timeout):
        _place(kafka, kept or _SAMPLE, timeout)
    return _kept() or {}


def _kept() -> dict[str, Any] | None:
    """Return what was kept, if it is an order of somebody's."""
    try:
        kept = json.loads(settings().receipt.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(kept, dict) and {*RECORD_COLUMNS, "userId", "orderId"} <= kept.keys()
    return kept if known else None


def _lies_there(kafka: Mapping[str, Any], kept: Mapping[str, Any], timeout: float) -> bool:
    try:
        log = topics.offsets(kafka, kept["topic"], timeout=timeout)
    except TopicError:
        return False
    log = log[log["partition"] == kept["partition"]]
    if not ((log["begin"] <= kept["offset"]) & (kept["offset"] < log["end"])).any():
        return False
    place = TopicPartition(kept["topic"], kept["partition"], kept["offset"])
    config = {"group.id": "00.receipt", "enable.auto.commit": False}
    with Consumer(dict(kafka) | config) as consumer:
        consumer.assign([place])
        message = consumer.poll(timeout)
    return message is not None and not message.error() and row(message) == kept


def _place(kafka: Mapping[str, Any], order: Mapping[str, Any], timeout: float) -> None:
    topics.create(kafka, [_AGAIN])
    fields = {name: value for name, value in order.items() if name not in RECORD_COLUMNS}
    config = {"message.timeout.ms": int(timeout * 1000)}
    with Producer(dict(kafka) | config) as producer:
        value = json.dumps(fields)
        producer.produce(_AGAIN.name, value=value, key=str(fields["userId"]), on_delivery=keep)
        producer.flush(timeout + 5)
