"""How the processor grows with the store's weeks: CPU an event, and memory, in memory alone.

Run `python benchmarks/processor_growth.py`. Both stages of one partition see the simulated store in
micro-batches of 20,000, and so does a loop that decodes and validates alone: their ratio tells
growth from a busy computer. A second process plans and encodes, so that neither its CPU nor its
memory counts; it waits with what it has until the stages are ready for more.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple

import psutil

from steamlab.events import decode
from steamlab.processor.first_stage import FirstStage, Message
from steamlab.processor.second_stage import SecondStage
from steamlab.simulator.planner import Plan
from steamlab.topics import STORE_TOPICS

__all__ = ["main"]

BATCH = 20_000
A_WEEK = 14_100_000  # events of the store at scale 1, about
WEEK_MS = 7 * 24 * 60 * 60 * 1000
REACH = {"growth": 1.15, "bytes": 2_500, "flat": 1.05}


class Arrived(NamedTuple):
    """A batch: its records, when its last arrives, and the users of the first week by then."""

    messages: list[Message]
    arrival_ms: int
    users: int


class Sample(NamedTuple):
    """What a batch cost, in CPU seconds, and the bytes in memory after it."""

    events: int
    both_s: float
    decode_s: float
    arrival_ms: int
    users: int
    rss: int


def main() -> None:
    """Print CPU an event in each tenth, memory a user in week 1, and memory in weeks 7 to 10."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=10_000_000)
    options.add_argument("--weeks", type=int, default=10, help="the events' weeks, at least 1")
    asked = options.parse_args()
    scale = asked.events / asked.weeks / A_WEEK
    # As the processes of the processor set it.
    gc.freeze()
    gc.set_threshold(1_000_000)
    batches = planned(scale, asked.weeks)
    first = [next(batches) for _ in range(min(3, asked.events // BATCH))]
    rehearse(first)
    before = _rss()
    samples = list(measured(first, batches))
    count = sum(each.events for each in samples)
    print(
        f"{count:,} events, {asked.weeks} weeks at scale {scale:.4f}, batches of {BATCH:,}; "
        f"load average {os.getloadavg()[0]:.1f}"
    )
    report_cpu(samples)
    report_memory(samples, before)


def planned(scale: float, weeks: int) -> Iterator[Arrived]:
    """Yield the batches that another process makes."""
    apart = multiprocessing.get_context("spawn")
    here, there = apart.Pipe(duplex=False)
    process = apart.Process(target=_plan, args=(there, scale, weeks), daemon=True)
    process.start()
    there.close()
    while here.poll(300):
        sent = here.recv()
        if sent is None:
            process.join(30)
            return
        records, arrival_ms, users = sent
        yield Arrived([Message(*each) for each in records], arrival_ms, users)
    raise AssertionError("the planning process is silent")


def _plan(pipe: Connection, scale: float, weeks: int) -> None:
    names = [spec.name for spec in STORE_TOPICS]
    users: set[bytes] = set()
    plan = Plan(scale=scale, days=7.0 * weeks)
    week_ends_ms = plan.world.start_ms + WEEK_MS
    batch: list[tuple[object, ...]] = []
    for chunk in plan.chunks():
        arrival_ms = chunk.arrival_ms
        records = chunk.encode()
        for place, (kind, key, value, headers) in enumerate(records):
            if arrival_ms[place] < week_ends_ms:
                users.add(key)
            batch.append((names[kind], key, value, headers))
            if len(batch) == BATCH:
                pipe.send((batch, int(arrival_ms[place]), len(users)))
                batch = []
    pipe.send(None)  # what is left is no whole batch, and would cost more an event


def rehearse(batches: Sequence[Arrived]) -> None:
    """Let everything be there that a batch needs, before memory is looked at."""
    list(measured(batches, iter(())))
    gc.collect()


def measured(first: Sequence[Arrived], more: Iterator[Arrived]) -> Iterator[Sample]:
    """Process the batches, one after the other, with stages of their own."""
    stages = FirstStage(), SecondStage()
    waiting = list(first)
    while (batch := waiting.pop(0) if waiting else next(more, None)) is not None:
        decode_s = _validate(batch.messages)
        both_s = _process(stages, batch.messages)
        events, arrival_ms, users = len(batch.messages), batch.arrival_ms, batch.users
        del batch
        yield Sample(events, both_s, decode_s, arrival_ms, users, _rss())


def _process(stages: tuple[FirstStage, SecondStage], messages: list[Message]) -> float:
    first, second = stages
    begin = time.process_time()
    output = first.process(messages)
    second.update(0, output.cells, output.clocks)
    changes = second.changes()
    second.closed()  # the cells that are let go: a process would delete their records
    spent = time.process_time() - begin
    assert changes and output.accepted
    return spent


def _validate(messages: list[Message]) -> float:
    begin = time.process_time()
    for topic, key, value, headers, arrived_ms in messages:
        decode(value, key=key, topic=topic, headers=headers, arrived_ms=arrived_ms)
    return time.process_time() - begin


def _rss() -> int:
    return int(psutil.Process().memory_info().rss)


def report_cpu(samples: Sequence[Sample]) -> None:
    """Print a line for each tenth of the events, and the last tenth beside the first."""
    print(f"{'events':>12} {'both stages':>12} {'decode alone':>13} {'ratio':>6}")
    tenths = []
    for number in range(10):
        part = samples[len(samples) * number // 10 : len(samples) * (number + 1) // 10]
        if part:
            events = sum(each.events for each in part)
            both, alone = (sum(each[at] for each in part) / events * 1e6 for at in (1, 2))
            tenths.append((both, both / alone))
            done = sum(each.events for each in samples[: len(samples) * (number + 1) // 10])
            print(f"{done:12,} {both:9.2f} us {alone:10.2f} us {both / alone:6.2f}")
    (first, first_ratio), (last, last_ratio) = tenths[0], tenths[-1]
    print(
        f"last tenth / first: {last / first:.2f} in us, {last_ratio / first_ratio:.2f} beside "
        f"decoding; to reach: {REACH['growth']}"
    )


def report_memory(samples: Sequence[Sample], before: int) -> None:
    """Print the bytes of a user, and whether memory stays as it is in the last weeks."""
    begin_ms = samples[0].arrival_ms
    week = [each for each in samples if each.arrival_ms < begin_ms + WEEK_MS]
    users, more = week[-1].users, week[-1].rss - before
    print(
        f"first week: {users:,} users, {more / 1e6:.0f} MB more than without them, "
        f"{more / users:,.0f} bytes a user; to reach: {REACH['bytes']:,}"
    )
    late = [each for each in samples if each.arrival_ms >= begin_ms + 6 * WEEK_MS]
    if len(late) < 6:
        print("too few events after week 6 to say whether memory stays as it is")
        return
    third = len(late) // 3
    first, last = (
        statistics.mean(each.rss - before for each in part)
        for part in (late[:third], late[-third:])
    )
    print(
        f"weeks 7 to {1 + (late[-1].arrival_ms - begin_ms) // WEEK_MS}: {first / 1e6:.0f} MB in "
        f"their first third, {last / 1e6:.0f} MB in their last: {last / first:.3f}; "
        f"to reach: {REACH['flat']}"
    )


if __name__ == "__main__":
    main()
