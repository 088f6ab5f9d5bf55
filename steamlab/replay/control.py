"""Steer a running store by records on a compacted topic: speed, scale, paused."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from steamlab import topics
from steamlab.errors import BrokerError, DeadlineError, LessonError, TopicError

__all__ = ["Follower", "Value", "parse", "set_control"]

Value: TypeAlias = float | bool
"""A speed (store seconds a second), a scale, or whether the store is paused."""

_RULES = {
    "speed": 'a number from 0.001 to 10,000,000, or "max"',
    "scale": "a number above 0 and at most 1",
    "paused": "true or false",
}
_MAX = "max"
_END = KafkaError._PARTITION_EOF  # noqa: SLF001 - Kafka's own name for it


def parse(key: bytes | None, value: bytes | None) -> tuple[str, Value]:
    """Return what a control record sets; raise `LessonError` naming what is wrong with it."""
    name = (key or b"").decode("utf-8", "replace")
    if name not in _RULES:
        raise _bad(f"The control {_short(name)} is none.", "Use speed, scale or paused.")
    try:
        found = msgspec.json.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    found = math.inf if (name, found) == ("speed", _MAX) else found
    if not _fits(name, found):
        text = (value or b"").decode("utf-8", "replace")
        raise _bad(f"The {name} cannot be {_short(text)}.", f"Use {_RULES[name]}.")
    return name, found if name == "paused" else float(found)


def set_control(
    kafka: Mapping[str, Any],
    topic: str = topics.CONTROL_TOPIC.name,
    *,
    speed: float | None = None,
    scale: float | None = None,
    paused: bool | None = None,
    timeout: float = 10,
) -> None:
    """Ask the store that follows `topic` for another speed or scale, or to pause.

    Raises `LessonError` for a value that makes no sense, `TopicError` without that topic,
    `BrokerError` if Kafka did not take it.
    """
    wanted = {"speed": speed, "scale": scale, "paused": paused}
    records = {name: _text(value) for name, value in wanted.items() if value is not None}
    for name, text in records.items():
        parse(name.encode(), text)
    _send(kafka, topic, records, timeout)


class Follower:
    """Follow a control topic in a thread: first the value each key has now, then each change.

    `changed` is called with a key and its value, `refused` with a sentence about a bad record.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        topic: str,
        changed: Callable[[str, Value], None],
        refused: Callable[[str], None],
    ) -> None:
        self._kafka, self._topic = kafka, topic
        self._changed, self._refused = changed, refused
        self._ready, self._stop = threading.Event(), threading.Event()
        self._latest: dict[str, Value] = {}
        self._thread = threading.Thread(target=self._follow, name="steamlab-control", daemon=True)

    def start(self, *, timeout: float = 10) -> Follower:
        """Start following, and wait until the present values have been called back."""
        self._thread.start()
        if not self._ready.wait(timeout):
            self.stop()
            raise DeadlineError(
                f"The controls on {self._topic!r} could not be read in {timeout:g} s.",
                repair="Run `steamlab status` to see whether Kafka is well.",
            )
        return self

    def stop(self, *, timeout: float = 10) -> None:
        """Stop following; the thread ends and its consumer is closed."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _follow(self) -> None:
        config = {"group.id": "steamlab-control", "enable.auto.commit": False}
        try:
            with Consumer(dict(self._kafka) | config | {"enable.partition.eof": True}) as consumer:
                consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
                while not self._stop.is_set():
                    message = consumer.poll(0.1)
                    if message is not None:
                        self._take(message)
        except Exception as error:  # a thread must not print: the store shows the sentence
            self._refused(f"The controls are no longer followed: {error}")

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is None:
            self._read(message)
        elif error.code() == _END and not self._ready.is_set():
            for name, value in self._latest.items():
                self._changed(name, value)
            self._ready.set()

    def _read(self, message: Message) -> None:
        try:
            name, value = parse(_bytes(message.key()), _bytes(message.value()))
        except LessonError as error:
            self._refused(f"Ignored a control record: {error}")
            return
        self._latest[name] = value
        if self._ready.is_set():
            self._changed(name, value)


def _send(
    kafka: Mapping[str, Any], topic: str, records: Mapping[str, bytes], timeout: float
) -> None:
    reports: list[KafkaError | None] = []
    limits = {"acks": "all", "message.timeout.ms": max(1, int(timeout * 1000))}
    with Producer(dict(kafka) | limits) as producer:
        _require(producer, topic, timeout)
        for name, text in records.items():
            producer.produce(topic, text, name, on_delivery=lambda error, _: reports.append(error))
        producer.flush(timeout + 1)
    if reports != [None] * len(records):
        raise _unheard(next((error for error in reports if error), None))


def _require(producer: Producer, topic: str, timeout: float) -> None:
    try:
        known = producer.list_topics(topic, timeout=timeout).topics[topic]
    except KafkaException as error:
        raise _unheard(error.args[0]) from error
    if known.error is not None:
        raise TopicError(
            f"There is no control topic {topic!r}.", repair="Start the store: it creates the topic."
        )


def _unheard(error: KafkaError | None) -> BrokerError:
    return BrokerError(
        f"Kafka did not take the control: {error.str() if error else 'no answer'}.",
        repair="Run `steamlab status` to see whether Kafka is well.",
    )


def _fits(name: str, value: object) -> bool:
    if name == "paused":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if name == "scale":
        return 0 < value <= 1
    return value == math.inf or 0.001 <= value <= 10_000_000


def _text(value: Value) -> bytes:
    return msgspec.json.encode(_MAX if value == math.inf else value)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _bad(sentence: str, repair: str) -> LessonError:
    return LessonError(sentence, repair=repair)


def _short(text: str) -> str:
    """Quote a stranger's text: short, on one line, nothing that a terminal would obey."""
    return ascii(text[:40] + ("…" if len(text) > 40 else ""))
