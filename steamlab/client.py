"""What every Kafka client of the lab is built from: a plain dictionary. And: who is there?"""

from __future__ import annotations

import logging
import socket
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported there
    AdminClient,
    ClusterMetadata,
)

__all__ = ["client_config", "probe"]

_LOGGER = logging.getLogger("steamlab.kafka")
_LOGGER.addHandler(logging.NullHandler())
_LOGGER.propagate = False


def client_config(bootstrap: str) -> dict[str, Any]:
    """Return the settings that all clients share: the address, a logger, a quiet log level.

    Without `logger` librdkafka writes to the process's stderr, which Jupyter shows
    under whatever cell happens to run. Add a handler to `steamlab.kafka` to read it.

        Producer(client_config("127.0.0.1:29092") | {"acks": "all"})
    """
    return {"bootstrap.servers": bootstrap, "logger": _LOGGER, "log_level": 3}


def probe(bootstrap: str, *, timeout: float = 2) -> ClusterMetadata | None:
    """Ask once who is there: the cluster's metadata, or None if nobody answers as Kafka does."""
    # librdkafka tries a closed port again and again: ask the cheap question first.
    if not any(_is_open(address, timeout) for address in bootstrap.split(",")):
        return None
    try:
        with AdminClient(client_config(bootstrap)) as admin:
            return admin.list_topics(timeout=timeout)
    except KafkaException:
        return None


def _is_open(address: str, timeout: float) -> bool:
    host, _, port = address.strip().rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True
