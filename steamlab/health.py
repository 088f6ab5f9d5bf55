"""Look at the running Kafka, from its port to a record that goes and comes back."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from functools import partial
from uuid import uuid4

from steamlab.errors import LabError
from steamlab.findings import Finding, guarded
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
        yield guarded(partial(look, kafka.bootstrap), name=name, repair=_RESTART)


def port_owner(port: int) -> str:
    """Say who listens on a port of this computer, as far as the system tells."""
    import psutil

    try:
        used = psutil.net_connections("inet")
    except psutil.Error:  # macOS tells only root
        return f"does not run (nobody was asked who uses port {port})"
    owners = [c.pid for c in used if c.laddr and c.laddr.port == port and c.status == "LISTEN"]
    if not owners:
        return f"does not run; port {port} is free"
    name = psutil.Process(owners[0]).name() if owners[0] else "another user's process"
    return f"does not run; {name} uses port {port}, so Kafka will choose another"


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
    from confluent_kafka import Consumer, Producer, TopicPartition

    from steamlab.client import client_config
    from steamlab.topics import TopicSpec, create, delete

    kafka = client_config(bootstrap)
    topic, value = f"steamlab.doctor-{uuid4().hex[:8]}", uuid4().bytes
    create(kafka, [TopicSpec(topic, 1)], timeout=10)
    consumer = Consumer(kafka | {"group.id": topic, "enable.auto.commit": False})
    try:
        began = time.monotonic()
        producer = Producer(kafka | {"linger.ms": 0, "message.timeout.ms": 5000})
        producer.produce(topic, value)
        left = producer.flush(6)
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(6)
        took = (time.monotonic() - began) * 1000
    finally:
        consumer.close()
        delete(kafka, [topic], timeout=10)
    came_back = left == 0 and message is not None and message.value() == value
    seen = f"a record went and came back in {took:.0f} ms" if came_back else "no record came back"
    return Finding("round trip", came_back, seen, _RESTART)
