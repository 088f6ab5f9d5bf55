"""Consumer groups, as the broker knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from steamlab.errors import BrokerError

__all__ = ["delete_group"]


def delete_group(kafka: Mapping[str, Any], group: str, *, timeout: float = 30) -> None:
    """Delete a consumer group and the offsets it committed; an unknown one is no error.

    Raises `BrokerError` while the group still has members.
    """
    with AdminClient(dict(kafka)) as admin:
        future = admin.delete_consumer_groups([group], request_timeout=timeout)[group]
        try:
            future.result(timeout)
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            if reason.code() != KafkaError.GROUP_ID_NOT_FOUND:
                raise BrokerError(
                    f"Kafka did not delete the group {group!r}: {reason.str()}.",
                    repair="Close the group's consumers first, and run it again.",
                ) from error
