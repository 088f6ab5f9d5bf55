"""Consumer groups, as the broker knows them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from steamlab.errors import BrokerError
from steamlab.topics import offsets

__all__ = ["Group", "delete_group", "lag", "look_at"]

Place = tuple[str, int]

# What a broker answers for a moment, when it has made or taken over its offsets topic.
_MOMENTARY = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


@dataclass(frozen=True)
class Group:
    """A consumer group at one moment.

    `state` is Kafka's word in lower case: stable, empty, dead, preparing_rebalancing,
    completing_rebalancing, assigning, reconciling. `members` maps each member's `client.id` to the
    partitions that it has.
    """

    state: str
    members: Mapping[str, frozenset[Place]]


def look_at(kafka: Mapping[str, Any], group: str, *, timeout: float = 10) -> Group:
    """Ask the broker for a group; one that nobody ever joined is dead and has no members."""
    with AdminClient(dict(kafka)) as admin:
        future = admin.describe_consumer_groups([group], request_timeout=timeout)[group]
        try:
            found = future.result(timeout)
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            if reason.code() == KafkaError.GROUP_ID_NOT_FOUND:
                return Group("dead", {})
            raise BrokerError(
                f"Kafka did not say who is in the group {group!r}: {reason.str()}.",
                repair="Run `steamlab status` to see whether Kafka is well.",
            ) from error
    members: dict[str, frozenset[Place]] = {}
    for member in found.members:
        places = member.assignment.topic_partitions if member.assignment else []
        has = {(str(at.topic), int(at.partition)) for at in places}
        members[member.client_id] = members.get(member.client_id, frozenset()) | has
    return Group(found.state.name.lower(), members)


def lag(
    kafka: Mapping[str, Any], group: str, topics: str | Sequence[str], *, timeout: float = 10
) -> pd.DataFrame:
    """Return how far a group is behind: topic, partition, committed, end, lag (records).

    `committed` is <NA> where the group never committed; then `lag` counts from the beginning,
    and so it does where records were deleted before the group read them. Raises `BrokerError` if
    Kafka does not say within `timeout`.
    """
    names = [topics] if isinstance(topics, str) else list(topics)
    frame = pd.concat([offsets(kafka, name, timeout=timeout).assign(topic=name) for name in names])
    places = zip(frame["topic"], frame["partition"], strict=True)
    asked = [TopicPartition(str(topic), int(partition)) for topic, partition in places]
    known = _committed(kafka, group, asked, time.monotonic() + timeout)
    committed = [known.get((at.topic, at.partition), -1) for at in asked]
    frame["committed"] = pd.array([at if at >= 0 else None for at in committed], dtype="Int64")
    next_read = frame["committed"].fillna(-1).astype("int64").clip(lower=frame["begin"])
    frame["lag"] = frame["end"] - next_read
    return frame[["topic", "partition", "committed", "end", "lag"]].reset_index(drop=True)


def _committed(
    kafka: Mapping[str, Any], group: str, asked: list[TopicPartition], deadline: float
) -> dict[Place, int]:
    """Ask beside the group, which nobody joins by that.

    `AdminClient.list_consumer_group_offsets` (confluent-kafka 2.16.1) takes the process with it
    where the group's coordinator is not ready, as on a Kafka that has started this moment.
    """
    # Unlike a reader of committed records, it does not wait for transactions to end.
    config = {"group.id": group, "enable.auto.commit": False, "isolation.level": "read_uncommitted"}
    with Consumer(dict(kafka) | config) as consumer:
        while True:
            try:
                found = consumer.committed(asked, timeout=max(deadline - time.monotonic(), 0.1))
            except KafkaException as error:
                reason: KafkaError = error.args[0]
                if reason.code() not in _MOMENTARY or time.monotonic() > deadline:
                    raise BrokerError(
                        f"Kafka did not say how far the group {group!r} is: {reason.str()}.",
                        repair="Run `steamlab status` to see whether Kafka is well.",
                    ) from error
                time.sleep(0.1)
            else:
                return {(at.topic, at.partition): at.offset for at in found}


def delete_group(kafka: Mapping[str, Any], group: str, *, timeout: float = 30) -> None:
    """Delete a consumer group and the offsets it committed; an unknown one is no error.

    Members that died are waited for until Kafka misses them. Raises `BrokerError` if the
    group still has members after `timeout`.
    """
    deadline = time.monotonic() + timeout
    with AdminClient(dict(kafka)) as admin:
        while (reason := _try_to_delete(admin, group, timeout)) is not None:
            will_pass = reason.code() in {KafkaError.NON_EMPTY_GROUP, *_MOMENTARY}
            if not will_pass or time.monotonic() > deadline:
                raise BrokerError(
                    f"Kafka did not delete the group {group!r}: {reason.str()}.",
                    repair="Close the group's consumers first, and run it again.",
                )
            time.sleep(0.1)


def _try_to_delete(admin: AdminClient, group: str, timeout: float) -> KafkaError | None:
    try:
        admin.delete_consumer_groups([group], request_timeout=timeout)[group].result(timeout)
    except KafkaException as error:
        reason: KafkaError = error.args[0]
        return None if reason.code() == KafkaError.GROUP_ID_NOT_FOUND else reason
    return None
