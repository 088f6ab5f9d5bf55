"""The verb `steamlab process`: run the processor, and tell how far it is."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from steamlab.metric_table import print_records
from steamlab.pipeline.counts import read_counts, told
from steamlab.pipeline.published import in_order, read_published
from steamlab.pipeline.supervisor import Supervisor
from steamlab.replay.keys import interruptible

__all__ = ["process"]


def process(
    kafka: Mapping[str, Any],
    *,
    prefix: str = "",
    grace_s: float = 300,
    idle_s: float = 5,
    until: int | None = None,
    timeout: float | None = None,
    json: bool = False,
    only: Sequence[str] = (),
) -> int:
    """Process the store's events until Ctrl-C, or until `until` events; return how many.

    With `until`, the records of `analytics.metrics` are printed at the end, as a table or with
    `json` as lines. With `only`, these chapters are all that is counted. A process that dies is
    started again; what is said of that goes to stderr, and what became of all events.
    """
    processor = Supervisor(
        kafka, prefix=prefix, grace_ms=round(grace_s * 1000), idle_s=idle_s, only=only
    )
    with interruptible() as asked, processor, _Bar() as bar:
        done = processor.wait_for(
            events=until, timeout=timeout, is_stopped=asked.is_set, tell=bar.tell
        )
    print(f"{done:,} events are processed, exactly once.", file=sys.stderr)
    print("\n".join(told(read_counts(kafka, processor.places))), file=sys.stderr)
    if until is not None and done >= until:
        print_records(in_order(read_published(kafka, processor.places)), json=json)
    return done


class _Bar:
    """Show how many of the events that are there are processed."""

    def __enter__(self) -> _Bar:
        pause = 0.1 if sys.stderr.isatty() else 5
        self._bar = tqdm(total=0, unit=" events", mininterval=pause, file=sys.stderr)
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def tell(self, done: int, there: int, lines: list[str]) -> None:
        """Show how far it is; lines go above the bar."""
        for line in lines:
            self._bar.write(line, file=sys.stderr)
        self._bar.total = there
        self._bar.update(done - self._bar.n)
