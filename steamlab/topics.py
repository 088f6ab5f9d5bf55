"""Create, empty, delete and describe topics, and wait for it; the store's topics as data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported there
    AdminClient,
    ClusterMetadata,
    NewTopic,
    OffsetSpec,
    TopicMetadata,
)

from steamlab.errors import BrokerError, DeadlineError, TopicError
from steamlab.store_topics import (
    ALL_TOPICS,
    CONTROL_TOPIC,
    DEAD_LETTER_TOPIC,
    METRICS_TOPIC,
    STORE_TOPICS,
    TopicSpec,
    base_name,
)

if TYPE_CHECKING:
    import pandas as pd

# What only waits for a topic must not wait for pandas first: it is imported where a frame is made.

__all__ = [
    "ALL_TOPICS",
    "CONTROL_TOPIC",
    "DEAD_LETTER_TOPIC",
    "METRICS_TOPIC",
    "STORE_TOPICS",
    "TopicSpec",
    "base_name",
    "bounds",
    "create",
    "delete",
    "describe",
    "offsets",
    "recreate",
    "wait_for_partitions",
]

_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
# A new topic's leaders need a moment, and so do those of a broker that comes back.
_NO_LEADER_YET = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._NOENT,  # noqa: SLF001 - the client's own name: "No leaders found"
}


def create(kafka: Mapping[str, Any], specs: Iterable[TopicSpec], *, timeout: float = 30) -> None:
    """Create topics, and wait until every broker knows them; existing ones are left alone.

    Three replicas, two of which must confirm a write, where there are three brokers; else one.
    """
    _create(kafka, list(specs), time.monotonic() + timeout)


def recreate(kafka: Mapping[str, Any], spec: TopicSpec, *, timeout: float = 30) -> None:
    """Delete a topic if it is there and create it again: afterwards it is empty."""
    deadline = time.monotonic() + timeout
    _delete(kafka, [spec.name], deadline)
    _create(kafka, [spec], deadline)


def delete(kafka: Mapping[str, Any], names: Iterable[str], *, timeout: float = 30) -> None:
    """Delete topics, and wait until every broker has forgotten them; absent ones are no error."""
    _delete(kafka, list(names), time.monotonic() + timeout)


def bounds(
    kafka: Mapping[str, Any], topic: str, *, timeout: float = 10
) -> dict[int, tuple[int, int]]:
    """Return where each partition of a topic begins (the oldest record kept) and ends.

    Raises `TopicError` for an unknown topic.
    """
    deadline = time.monotonic() + timeout
    with AdminClient(dict(kafka)) as admin:
        partitions = sorted(_known_topic(admin, topic, deadline).partitions)
        begin = _list_offsets(admin, topic, partitions, _EARLIEST, deadline)
        end = _list_offsets(admin, topic, partitions, _LATEST, deadline)
    return dict(zip(partitions, zip(begin, end, strict=True), strict=True))


def offsets(kafka: Mapping[str, Any], topic: str, *, timeout: float = 10) -> pd.DataFrame:
    """Return where each partition of a topic begins and ends, by partition.

    Columns: partition, begin (the oldest record kept), end (where the next record goes).
    Raises `TopicError` for an unknown topic.
    """
    import pandas as pd

    rows = [(number, *each) for number, each in bounds(kafka, topic, timeout=timeout).items()]
    return pd.DataFrame(rows, columns=["partition", "begin", "end"], dtype="int64")


def describe(kafka: Mapping[str, Any], topic: str, *, timeout: float = 10) -> pd.DataFrame:
    """Return who leads and who holds each partition of a topic, by partition.

    Columns: partition, leader (-1: nobody), replicas and isr (lists of brokers; the in-sync
    replicas ascending). Raises `TopicError` for an unknown topic.
    """
    import pandas as pd

    with AdminClient(dict(kafka)) as admin:
        known = _known_topic(admin, topic, time.monotonic() + timeout)
    parts = [known.partitions[number] for number in sorted(known.partitions)]
    return pd.DataFrame(
        {
            "partition": [part.id for part in parts],
            "leader": [part.leader for part in parts],
            "replicas": [list(part.replicas) for part in parts],
            "isr": [sorted(part.isrs) for part in parts],
        }
    )


def wait_for_partitions(
    kafka: Mapping[str, Any], topic: str, partitions: int, *, timeout: float = 30
) -> None:
    """Wait until every broker tells clients that a topic has this many partitions."""
    _everywhere(
        kafka,
        lambda seen: _is_ready(seen, topic) and len(seen.topics[topic].partitions) == partitions,
        f"{topic} to have {partitions} partitions",
        time.monotonic() + timeout,
    )


def _create(kafka: Mapping[str, Any], specs: list[TopicSpec], deadline: float) -> None:
    wanted = {spec.name: spec for spec in specs}
    with AdminClient(dict(kafka)) as admin:
        metadata = _metadata(admin, deadline)
        replicas = min(3, len(metadata.brokers))
        new = [
            NewTopic(
                spec.name,
                num_partitions=spec.partitions,
                replication_factor=replicas,
                config=({"min.insync.replicas": "2"} if replicas == 3 else {}) | dict(spec.config),
            )
            for spec in wanted.values()
            if not _is_there(metadata, spec.name)
        ]
        if new:
            request = {"request_timeout": _left(deadline)}
            _outcome(admin.create_topics(new, **request), deadline, KafkaError.TOPIC_ALREADY_EXISTS)
    _everywhere(
        kafka,
        lambda seen: all(_is_ready(seen, name) for name in wanted),
        f"the topics {', '.join(wanted)} to be visible",
        deadline,
    )


def _delete(kafka: Mapping[str, Any], names: list[str], deadline: float) -> None:
    with AdminClient(dict(kafka)) as admin:
        metadata = _metadata(admin, deadline)
        present = [name for name in names if _is_there(metadata, name)]
        if present:
            request = {"request_timeout": _left(deadline)}
            _outcome(
                admin.delete_topics(present, **request),
                deadline,
                KafkaError.UNKNOWN_TOPIC_OR_PART,
            )
    if present:
        _everywhere(
            kafka,
            lambda seen: not any(_is_there(seen, name) for name in present),
            f"the topics {', '.join(present)} to be gone",
            deadline,
        )


def _outcome(futures: Mapping[str, Future[None]], deadline: float, harmless: int) -> None:
    for name, future in futures.items():
        try:
            future.result(timeout=_left(deadline))
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            if reason.code() == harmless:  # somebody else was quicker, with the same wish
                continue
            raise TopicError(
                f"Kafka refused the topic {name!r}: {reason.str()}.",
                repair="Change the name or the settings and run it again.",
            ) from error


def _everywhere(
    kafka: Mapping[str, Any],
    holds: Callable[[ClusterMetadata], bool],
    what: str,
    deadline: float,
) -> None:
    """Wait until each broker, asked by itself, sees it: clients may ask any of them."""
    with AdminClient(dict(kafka)) as admin:
        brokers = _metadata(admin, deadline).brokers.values()
    for broker in brokers:
        alone = dict(kafka) | {"bootstrap.servers": f"{broker.host}:{broker.port}"}
        has_answered = False
        while not (has_answered and time.monotonic() > deadline):
            # A client asks any broker that it knows; a new one knows only this one.
            with AdminClient(alone) as admin:
                try:
                    if holds(_metadata(admin, deadline)):
                        break
                    has_answered = True
                except BrokerError:  # at the deadline an answer may come too late
                    if not has_answered:
                        raise
            time.sleep(0.02)
        else:
            raise DeadlineError(
                f"Waited for {what} on broker {broker.id}, in vain.",
                repair="Run `steamlab status` to see whether Kafka is well.",
            )


def _metadata(admin: AdminClient, deadline: float) -> ClusterMetadata:
    try:
        return admin.list_topics(timeout=_left(deadline))
    except KafkaException as error:
        raise BrokerError(
            f"Kafka does not answer: {error.args[0].str()}.",
            repair="Run `steamlab up` to start it, or `steamlab status` to see what runs.",
        ) from error


def _known_topic(admin: AdminClient, topic: str, deadline: float) -> TopicMetadata:
    metadata = _metadata(admin, deadline)
    if _is_there(metadata, topic):
        return metadata.topics[topic]
    names = ", ".join(sorted(name for name in metadata.topics if not name.startswith("__")))
    raise TopicError(
        f"There is no topic {topic!r}.",
        repair=f"These exist: {names}." if names else "Create it first: there are none yet.",
    )


def _list_offsets(
    admin: AdminClient, topic: str, partitions: list[int], which: OffsetSpec, deadline: float
) -> list[int]:
    asked = {TopicPartition(topic, number): which for number in partitions}
    while True:
        try:
            futures = admin.list_offsets(asked, request_timeout=_left(deadline))
            found = {at.partition: future.result(_left(deadline)) for at, future in futures.items()}
            return [found[number].offset for number in partitions]
        except KafkaException as error:
            code = error.args[0].code()
            if code not in _NO_LEADER_YET or time.monotonic() > deadline:
                raise _no_offsets(topic, error) from error
        time.sleep(0.05)
        _metadata(admin, deadline)  # who leads, and in which epoch: it does not ask by itself


def _no_offsets(topic: str, error: KafkaException) -> TopicError | BrokerError:
    if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return TopicError(f"The topic {topic!r} was deleted meanwhile.", repair="Create it again.")
    return BrokerError(
        f"Kafka could not say where {topic!r} begins and ends: {error.args[0].str()}.",
        repair="Run `steamlab status` to see whether all brokers are up.",
    )


def _is_there(metadata: ClusterMetadata, name: str) -> bool:
    return name in metadata.topics and metadata.topics[name].error is None


def _is_ready(metadata: ClusterMetadata, name: str) -> bool:
    return _is_there(metadata, name) and all(
        part.leader >= 0 for part in metadata.topics[name].partitions.values()
    )


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())
