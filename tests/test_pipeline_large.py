"""What is large goes through Kafka: a backlog of one user, and names as long as an event."""

from __future__ import annotations

from typing import Any

import pytest

from steamlab import topics
from steamlab.pipeline.places import Places
from steamlab.pipeline.supervisor import Supervisor
from tests.pipelines import GRACE_MS, Sent, of_all, send, wrong
from tests.processing import message
from tests.stream import look
from tests.test_processor_large import long_named, of_one_user

pytestmark = pytest.mark.broker

_PLACES = Places("87.")


def test_large_batches_and_names_are_counted(kafka: dict[str, Any]) -> None:
    """9,000 events of one user and 150 long names of each kind, with a restart before the last."""
    messages = [*of_one_user(9_000), *long_named(150)]
    more = [message(look("11:00:00", f"u{number}")) for number in range(20)]
    events = [Sent(each.topic, each.key, each.value, each.headers) for each in [*messages, *more]]
    config: dict[str, Any] = {"prefix": _PLACES.prefix, "grace_ms": GRACE_MS}
    for begin, end in ((0, len(messages)), (len(messages), len(events))):
        with Supervisor(kafka, **config) as processor:
            send(kafka, _PLACES, events[begin:end])
            processor.wait_for(events=end, timeout=90)
            assert {"first": 1, "second": 1} == processor.starts
    assert [] == wrong(kafka, _PLACES, of_all(events))
    topics.delete(kafka, [spec.name for spec in _PLACES.specs()])
