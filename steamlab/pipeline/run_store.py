"""The verb `steamlab store`: shoppers, processor and a view of the sixteen metrics together."""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from steamlab import topics
from steamlab.errors import DeadlineError
from steamlab.metric_table import metric_table
from steamlab.pipeline.published import in_order
from steamlab.pipeline.supervisor import Supervisor
from steamlab.processor.records import Record
from steamlab.replay.keys import interruptible
from steamlab.store import START, Store
from steamlab.tail import Tail

__all__ = ["run_store"]

_read = msgspec.json.Decoder(dict[str, Any]).decode


def run_store(
    kafka: Mapping[str, Any],
    *,
    scale: float = 0.01,
    speed: float = 1440.0,
    days: float = 7.0,
    seed: int = 7,
    prefix: str = "",
    timeout: float = 120,
) -> int:
    """Run the store and its processor until the days are over and processed, or until Ctrl-C.

    Returns how many events this run sent. Where there is no terminal the table is printed once, at
    the end. Raises `DeadlineError` if processing takes `timeout` seconds more than sending.
    """
    named = {spec.name: prefix + spec.name for spec in topics.STORE_TOPICS}
    store = Store(kafka, topics=named, seed=seed, scale=scale, start=START)
    with interruptible() as asked, Supervisor(kafka, prefix=prefix) as processor:
        view = _View(kafka, store, processor.places.metrics)
        with view:
            before = _there(kafka, processor.places.inputs)
            store.begin(speed=speed or math.inf, days=days)
            processor.wait_for(
                timeout=None,
                is_stopped=lambda: asked.is_set() or not store.running,
                tell=view.tell,
            )
            store.stop(timeout=30)
            if not asked.is_set():
                processor.wait_for(
                    events=before + store.acked,
                    timeout=timeout,
                    is_stopped=asked.is_set,
                    tell=view.tell,
                )
                view.catch_up()
    if store.error is not None:
        raise store.error
    return store.acked


def _there(kafka: Mapping[str, Any], names: list[str]) -> int:
    ends = (topics.offsets(kafka, name) for name in names)
    return sum(int((each["end"] - each["begin"]).sum()) for each in ends)


class _View:
    """The newest record of each key, and a table of the newest windows."""

    def __init__(self, kafka: Mapping[str, Any], store: Store, topic: str) -> None:
        self._store, self._topic = store, topic
        self._tail = Tail(dict(kafka) | {"isolation.level": "read_committed"}, [topic], "beginning")
        self._kafka = kafka
        self._records: dict[str, Record] = {}
        self._lines: deque[str] = deque(maxlen=3)
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._title = ""

    def __enter__(self) -> _View:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._console.is_terminal:
            self._live.stop()
        self._tail.__exit__(None, None, None)
        self._console.print(self._picture())

    def tell(self, done: int, there: int, lines: list[str]) -> None:
        """Take what was published since, and show it."""
        self._lines += lines
        if not self._console.is_terminal:
            for line in lines:
                print(line, file=sys.stderr)
        for _ in range(20):  # as much as there is, but the processes are to be watched, too
            if not self._take(0.0):
                break
        self._title = (
            f"The store at {self._store.now}: {self._store.acked:,} events sent in this run, "
            f"{done:,} of {there:,} processed, {len(self._records):,} records. Ctrl-C ends it."
        )
        if self._console.is_terminal:
            self._live.update(self._picture())

    def catch_up(self, timeout: float = 30) -> None:
        """Read the topic to where it ends now."""
        for _ in range(int(timeout / 0.5)):
            if not self._take(0.5):
                return
        raise DeadlineError(
            f"{self._topic} still grows after {timeout:g} s.", repair="End the other processor."
        )

    def _take(self, wait_s: float) -> int:
        found = self._tail.poll(1000, wait_s)
        for message in found:
            name, value = bytes(message.key() or b"").decode(), message.value()
            if value is None:
                self._records.pop(name, None)
            else:
                self._records[name] = _read(value)
        return len(found)

    def _picture(self) -> Group:
        table = metric_table(in_order(self._records))
        return Group(Text(self._title), table, *map(Text, self._lines))
