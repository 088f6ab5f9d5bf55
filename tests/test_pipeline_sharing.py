"""Two processors share the work: one joins, one dies, one stands still and comes back."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import TopicPartition

from steamlab.errors import BrokerError
from steamlab.pipeline.counts import read_counts
from steamlab.pipeline.first import check_copartitioned
from steamlab.pipeline.places import Places
from steamlab.pipeline.supervisor import Supervisor
from steamlab.pipeline.worker import Orders
from tests.pipelines import (
    GRACE_MS,
    ROOT,
    another,
    is_frozen,
    log,
    of_all,
    places_of,
    planned,
    send,
    shares,
    shoppers,
    until,
    wrong,
)

EVENTS = planned(6000)


class Stream:
    """The simulator's events, sent a few at a time; `sent` are those that are on their way."""

    def __init__(self, kafka: Mapping[str, Any], places: Places) -> None:
        self.kafka, self.places = kafka, places
        self.sent: Sequence[Any] = []

    def send(self, count: int) -> bool:
        """Send the next events; always true, so that a wait can go on with it."""
        begin = len(self.sent)
        self.sent = EVENTS[: begin + count]
        assert begin + count <= len(EVENTS)
        send(self.kafka, self.places, EVENTS[begin : begin + count])
        return True

    def wrong(self) -> list[str]:
        """Return the records that differ from the oracle's, of all that was sent."""
        return wrong(self.kafka, self.places, of_all(self.sent))


def even(share: dict[str, set[int]], places: Places) -> bool:
    """Whether a share is the same three partition numbers of all five topics."""
    numbers = set(map(frozenset, share.values()))
    return set(share) == set(places.inputs) and len(numbers) == 1 and len(min(numbers)) == 3


def sizes(kafka: Mapping[str, Any], places: Places, stage: str) -> list[int]:
    """Ask the broker how many partitions each member has."""
    return sorted(sum(map(len, share.values())) for share in shares(kafka, places, stage))


@pytest.mark.broker
def test_a_second_processor_takes_half_and_then_all(kafka: dict[str, Any]) -> None:
    """While events flow a second process joins, the first is killed: the numbers stay right."""
    places = Places("91a.")
    stream = Stream(kafka, places)
    with another(kafka, places.prefix) as first:
        until(lambda: len(first.children()) == 2, "two workers")
        until(lambda: sizes(kafka, places, "first") == [30], "the first to have all")
        stream.send(500)
        with Supervisor(kafka, prefix=places.prefix, grace_ms=GRACE_MS) as second:

            def is_shared() -> bool:
                stream.send(20)
                both = shares(kafka, places, "first")
                return 2 == len(both) and all(even(share, places) for share in both)

            until(is_shared, "three partition numbers for each")
            until(lambda: [2, 2] == sizes(kafka, places, "second"), "two chapters for each")
            stream.send(500)
            second.wait_for(events=len(stream.sent), timeout=40)
            stream.send(500)
            for each in [first, *first.children()]:
                os.kill(each.pid, signal.SIGKILL)
            stream.send(500)
            second.wait_for(events=len(stream.sent), timeout=60)
            assert {"first": 1, "second": 1} == second.starts
            assert ([30], [4]) == (sizes(kafka, places, "first"), sizes(kafka, places, "second"))
    assert [] == stream.wrong()


def freeze(stream: Stream, processor: Supervisor, file: Path, point: str) -> None:
    """Let both workers stop at a point.

    The second stage first: it needs what the first one commits.
    """
    for stage in ("second", "first"):
        pid = processor.processes[stage].pid
        file.write_text(f"{stage}:{point}")
        until(lambda: is_frozen(pid) or not stream.send(20), f"{stage} to freeze")  # noqa: B023
    file.write_text("")


def unseen(stream: Stream) -> dict[str, set[Any]]:
    """Return where the records stand that only a reader of uncommitted ones sees, by topic."""
    found = {}
    for topic in (stream.places.changelog, stream.places.metrics):
        raw = places_of(log(stream.kafka, topic, isolation="read_uncommitted"))
        found[topic] = raw - places_of(log(stream.kafka, topic))
    return found


@contextmanager
def zombies(
    kafka: dict[str, Any], prefix: str, point: str, file: Path
) -> Iterator[tuple[Stream, Supervisor, Supervisor]]:
    """Freeze a processor, and let another do the work meanwhile; both, then, are well."""
    stream = Stream(kafka, Places(prefix))
    file.write_text("")
    environment = dict(os.environ) | {"STEAMLAB_FREEZE": str(file)}
    config: dict[str, Any] = {"prefix": prefix, "grace_ms": GRACE_MS}
    with Supervisor(kafka, environment=environment, **config) as old:
        stream.send(500)
        old.wait_for(events=500, timeout=60)
        freeze(stream, old, file, point)
        try:
            with Supervisor(kafka, **config) as new:
                yield stream, old, new
                stream.send(500)
                for each in (new, old):
                    each.wait_for(events=len(stream.sent), timeout=60)
        finally:
            wake(old)  # an end of its own is not in the way of a stop
    assert [] == stream.wrong()


def wake(processor: Supervisor) -> None:
    """Let frozen workers go on."""
    for each in processor.processes.values():
        each.send_signal(signal.SIGCONT)


@pytest.mark.broker
def test_a_zombie_in_a_transaction_is_fenced(kafka: dict[str, Any], tmp_path: Path) -> None:
    """Frozen beyond its timeout, it comes back: it ends, and what it wrote is never seen."""
    with zombies(kafka, "91b.", "offsets", tmp_path / "freeze") as (stream, old, new):
        written = unseen(stream)
        assert all(written.values()), "a zombie has written nothing"
        new.wait_for(events=len(stream.sent), timeout=60)
        wake(old)
        until(lambda: all(each.poll() is not None for each in old.processes.values()), "two ends")
        assert {"first": 1, "second": 1} == {
            stage: each.returncode for stage, each in old.processes.items()
        }
    after = unseen(stream)
    assert all(written[topic] <= after[topic] for topic in written)


@pytest.mark.broker
def test_a_zombie_before_its_transaction_is_refused(
    kafka: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It comes back with a batch that others have committed: it gives it up, and joins again."""
    with zombies(kafka, "91c.", "consumed", tmp_path / "freeze") as (stream, old, new):
        new.wait_for(events=len(stream.sent), timeout=60)
        capfd.readouterr()
        wake(old)
        said = ""

        def have_both_given_up() -> bool:
            nonlocal said
            said += capfd.readouterr().err
            return all(f"91c.steamlab.process.{stage}.1: aborted" in said for stage in old.starts)

        until(have_both_given_up, "two batches given up")
        for stage, has in (("first", [15, 15]), ("second", [2, 2])):
            until(lambda: has == sizes(kafka, stream.places, stage), "half for each")  # noqa: B023
        assert ([], {"first": 1, "second": 1}) == (old.look(), old.starts)


@pytest.mark.broker
def test_a_zombie_that_has_read_nothing_is_refused(
    kafka: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Started anew, with nothing to tell but idleness, it is told apart as any other."""
    stream, file = Stream(kafka, Places("91e.")), tmp_path / "freeze"
    config: dict[str, Any] = {"prefix": "91e.", "grace_ms": GRACE_MS, "stages": ("first",)}
    with Supervisor(kafka, **config) as before:
        stream.send(500)
        until(lambda: counted(stream) == 500, "500 events")
        before.stop()
    file.write_text("first:consumed")
    environment = dict(os.environ) | {"STEAMLAB_FREEZE": str(file)}
    with Supervisor(kafka, environment=environment, idle_s=1.0, **config) as old:
        process = old.processes["first"]
        until(lambda: is_frozen(process.pid), "idle, and frozen")
        file.write_text("")
        try:
            with Supervisor(kafka, idle_s=60.0, **config) as new:
                stream.send(500)
                until(lambda: counted(stream) == 1000, "1,000 events")
                assert {"first": 1} == new.starts
                known = places_of(log(kafka, stream.places.changelog))
                capfd.readouterr()
                wake(old)
                until(lambda: "aborted" in capfd.readouterr().err, "a batch given up")
                assert known == places_of(log(kafka, stream.places.changelog))
                assert 1000 == counted(stream)
        finally:
            wake(old)


def counted(stream: Stream) -> int:
    """Return how many events the first stage says that it has accepted or known."""
    counts = read_counts(stream.kafka, stream.places)
    return counts["accepted"] + counts["duplicates"]


def odd_worker(kafka: Mapping[str, Any], number: int, *more: str) -> subprocess.Popen[str]:
    """Start a first stage whose group spreads partitions evenly, whatever their numbers."""
    orders = Orders("first", str(kafka["bootstrap.servers"]), f"91d.odd.{number}", "91d.",
                    os.getpid(), GRACE_MS)  # fmt: skip
    command = [sys.executable, "-m", "tests.odd_worker", msgspec.json.encode(orders).decode()]
    return subprocess.Popen([*command, *more], cwd=ROOT, stderr=subprocess.PIPE, text=True)


@pytest.mark.broker
def test_the_uniform_assignor_is_refused_and_would_be_wrong(kafka: dict[str, Any]) -> None:
    """Who looks at its share ends with a sentence; who does not gets the numbers wrong."""
    places = Places("91d.")
    with Supervisor(kafka, prefix=places.prefix, stages=("second",), grace_ms=GRACE_MS) as second:
        workers = [odd_worker(kafka, 1, "blind")]
        try:
            until(lambda: sizes(kafka, places, "first") == [30], "one to have all")
            workers.append(odd_worker(kafka, 2))
            _, said = workers[-1].communicate(timeout=60)
            assert "Expected the same partitions of all five topics, and was given" in said
            assert 1 == workers[-1].returncode
            until(lambda: sizes(kafka, places, "first") == [30], "one to have all again")
            workers.append(odd_worker(kafka, 3, "blind"))
            until(lambda: sizes(kafka, places, "first") == [15, 15], "half of the partitions each")
            assert not all(even(share, places) for share in shares(kafka, places, "first"))
            events = shoppers(120)
            send(kafka, places, events[:300])
            second.wait_for(events=300, timeout=60)  # both have opened their shares by now
            send(kafka, places, events[300:])
            second.wait_for(events=600, timeout=60)
            assert wrong(kafka, places, of_all(events))
        finally:
            for each in workers:
                each.kill()
                each.communicate()


def test_a_share_must_be_copartitioned() -> None:
    """All five topics' partitions 2 and 5 will do; one that is missing, or one more, will not."""
    places = Places()
    share = [TopicPartition(topic, number) for topic in places.inputs for number in (2, 5)]
    check_copartitioned(places, share)
    check_copartitioned(places, [])
    for wrong_share in (share[1:], [*share, TopicPartition(places.inputs[0], 0)]):
        with pytest.raises(BrokerError, match=re.escape("group.remote.assignor=range")):
            check_copartitioned(places, wrong_share)
