"""Run the store from a terminal: into Kafka with a bar and keys, or into a file."""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steamlab import topics
from steamlab.decoding.envelopes import lines, target
from steamlab.errors import LabError, LessonError
from steamlab.replay.bar import Bar
from steamlab.replay.clock import rfc3339, start_ms
from steamlab.replay.keys import Keys, interruptible
from steamlab.simulator.planner import Plan
from steamlab.store import START, Store

__all__ = ["Report", "simulate"]


@dataclass(frozen=True)
class Report:
    """How a run ended: `sent` and `acked` events (written ones, for a file), the store's time."""

    sent: int
    acked: int
    now: str
    is_complete: bool


class _Stopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """Ctrl-C while a file was being written."""


def simulate(
    kafka: Mapping[str, Any] | None = None,
    *,
    scale: float = 0.01,
    speed: float = 1440.0,
    days: float = 7.0,
    seed: int = 7,
    start: str = START,
    largest: float | None = None,
    out: str | Path | None = None,
) -> Report:
    """Run the store into Kafka, or write the same events to the file `out` ("-": to stdout).

    `speed`: store seconds a second, 0 for as fast as possible; a file ignores it. `largest`:
    how far the scale may be raised while it runs. Ctrl-C and `q` end it with everything
    acknowledged; what is said goes to stderr. Raises `BrokerError` where Kafka did not
    acknowledge what was sent.
    """
    largest = scale if largest is None else largest
    if not (days > 0 and 0 < scale <= largest <= 1 and speed >= 0):
        raise LessonError(
            "The store needs days above 0, a scale above 0 and at most 1, and no negative speed.",
            repair="Try `steamlab simulate --scale 0.01 --days 7 --speed 1440`.",
        )
    if out is not None:
        plan = Plan(seed=seed, scale=largest, days=days, start=start)
        return _into_file(plan, str(out), start_ms(start), days, scale / largest)
    if kafka is None:
        raise LessonError("There is no Kafka to send to.", repair="Run `steamlab up`.")
    topics.create(kafka, topics.STORE_TOPICS)
    store = Store(kafka, seed=seed, scale=scale, largest=largest, start=start, patience=300)
    return _into_kafka(store, speed or math.inf, days)


def _into_kafka(store: Store, speed: float, days: float) -> Report:
    with interruptible() as asked, Keys() as keys, Bar(store.now, days) as bar:
        if keys.are_there:
            bar.say("Keys: + and - change the speed, s and S the scale, space pauses, q ends it.")
        store.begin(speed=speed, days=days)
        _attend(store, keys, asked, bar)
        if store.error is not None:
            raise store.error
        how = "Stopped" if asked.is_set() else "Done"
        bar.say(
            f"{how} at store time {store.now}: {store.sent:,} events sent, "
            f"all {store.acked:,} acknowledged."
        )
    return Report(store.sent, store.acked, store.now, not asked.is_set())


def _attend(store: Store, keys: Keys, asked: threading.Event, bar: Bar) -> None:
    """Show the run and obey the keys until the store has ended."""
    while store.running:
        key = keys.read(0.1)
        if key == "q" or asked.is_set():
            asked.set()
            store.stop(timeout=30 if store.sent else 0)
        else:
            _press(store, key, bar)
        while store.notes:
            bar.say(store.notes.popleft())
        pace = "paused" if store.paused else f"×{store.speed:,.0f}"
        bar.show(store.acked, store.now, f"{pace}, scale {store.scale:g}")


def _press(store: Store, key: str, bar: Bar) -> None:
    """Send what a key asks for: a control record, as anybody could send it."""
    pace = min(store.speed, 1e6)
    wishes: dict[str, dict[str, Any]] = {
        "+": {"speed": pace * 2},
        "=": {"speed": pace * 2},
        "-": {"speed": pace / 2},
        "S": {"scale": store.scale * 2},
        "s": {"scale": store.scale / 2},
        " ": {"paused": not store.paused},
    }
    if key not in wishes:
        return
    try:
        store.set(timeout=2, **wishes[key])
    except LabError as error:
        bar.say(str(error))


def _into_file(plan: Plan, name: str, first_ms: float, days: float, share: float) -> Report:
    count, now = 0, rfc3339(first_ms)
    with interruptible() as asked, Bar(now, days) as bar:
        try:
            with target(name) as file:
                for batch, reached_ms in lines(plan.chunks(), share=share):
                    if asked.is_set():
                        raise _Stopped
                    file.write(b"".join(batch))
                    count, now = count + len(batch), rfc3339(reached_ms)
                    bar.show(count, now, name)
        except _Stopped:
            bar.say("Stopped." if name == "-" else f"Stopped: {name} was not written.")
            return Report(count, count, now, False)
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Report(count, count, now, False)
        bar.say(f"{count:,} events written{'' if name == '-' else f' to {name}'}.")
    return Report(count, count, now, True)
