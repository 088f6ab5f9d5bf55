"""Look at the running Kafka, from its port to a record that goes and comes back."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import uuid4

from steamlab.errors import LabError
from steamlab.kafka.state import holder, is_taken
from steamlab.launch.findings import Finding, guarded
from steamlab.settings import settings

__all__ = ["addresses", "health", "port_owner", "round_trip"]

_RESTART = "Run `steamlab down`, then `steamlab up`."


def health() -> Iterator[Finding]:
    """Yield what is found; a Kafka that does not run is one finding."""
    from steamlab.broker import find

    try:
        kafka = find()
    except LabError as error:
        yield Finding("kafka", False, error.sentence, error.repair)
        return
    if kafka is None:
        yield Finding("kafka", False, port_owner(settings().port), "Run `steamlab up`.")
        return
    brokers = "1 broker" if kafka.brokers == 1 else f"{kafka.brokers} brokers"
    yield Finding("kafka", True, f"{brokers} at {kafka.bootstrap} ({kafka.origin})")
    for name, look in (("addresses", addresses), ("round trip", round_trip)):
        finding = guarded(partial(look, kafka.bootstrap), name=name, repair=_RESTART)
        yield finding
        if not finding.ok:
            return  # a record cannot go where no address leads


def port_owner(port: int) -> str:
    """Say what a start of Kafka would meet on its first choice of a port."""
    if not is_taken(port):
        return f"does not run; port {port} is free."
    return f"does not run; {holder(port)} uses port {port}, so Kafka will choose another."


def addresses(bootstrap: str) -> Finding:
    """Check that the brokers name themselves by addresses that this computer reaches."""
    from confluent_kafka.admin import AdminClient

    from steamlab.client import client_config

    metadata = AdminClient(client_config(bootstrap)).list_topics(timeout=5)
    lost = []
    for broker in metadata.brokers.values():
        try:
            socket.create_connection((broker.host, broker.port), timeout=2).close()
        except OSError:
            lost.append(f"{broker.host}:{broker.port}")
    seen = ", ".join(f"{b.host}:{b.port}" for b in metadata.brokers.values())
    if lost:
        seen = f"Kafka answers at {bootstrap}, but names {', '.join(lost)}, which does not answer"
    return Finding("addresses", not lost, seen, "Correct its `advertised.listeners`.")


def round_trip(bootstrap: str) -> Finding:
    """Send a record and read it, in a topic that exists for this moment only."""
    from steamlab import topics
    from steamlab.client import client_config

    kafka = client_config(bootstrap)
    topic = f"steamlab.doctor-{uuid4().hex[:8]}"
    topics.create(kafka, [topics.TopicSpec(topic, 1)], timeout=15)
    try:
        took_ms = _send_and_read(kafka, topic, uuid4().bytes)
    finally:
        topics.delete(kafka, [topic], timeout=15)
    if took_ms is None:
        return Finding("round trip", False, "no record came back", _RESTART)
    return Finding("round trip", True, f"a record went and came back in {took_ms:.0f} ms")


def _send_and_read(kafka: dict[str, Any], topic: str, value: bytes) -> float | None:
    from confluent_kafka import Consumer, Producer, TopicPartition

    began = time.monotonic()
    producer = Producer(kafka | {"linger.ms": 0, "message.timeout.ms": 5000})
    producer.produce(topic, value)
    left = producer.flush(6)
    consumer = Consumer(kafka | {"group.id": topic, "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(6)
    finally:
        consumer.close()
    came_back = left == 0 and message is not None and message.value() == value
    return (time.monotonic() - began) * 1000 if came_back else None
