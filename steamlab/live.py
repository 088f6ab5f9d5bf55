"""A chart that moves: redrawn from a topic's events while they come."""

from __future__ import annotations

import atexit
import contextvars
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from confluent_kafka import Message

from steamlab.drawing.escape import marked_strings
from steamlab.drawing.figures import MissingColumnError, figure_of, words
from steamlab.drawing.ownership import own
from steamlab.drawing.screen import Mood, Screen, trees
from steamlab.errors import DeadlineError, LessonError
from steamlab.frames import row
from steamlab.tail import Start, Tail

__all__ = ["LiveChart"]

_LOG = logging.getLogger("steamlab.live")
_MARKUP = (b"<", b"&", b"\\u")  # a value without these hides no markup
_MAX_STRINGS = 1000
# A column may come with a later event, of another type or topic: so long a chart may miss it.
_COLUMN_GRACE_S = 3.0

_charts: weakref.WeakSet[LiveChart] = weakref.WeakSet()


class LiveChart:
    """Draw `chart(df)` again and again from the events of some topics, beside every group.

    `df` holds the newest `keep` records in the order they came: topic, partition, offset, key
    and the events' fields. The chart ends with the `until`-th record, or by its stop button.
    `seen` counts all records, `redraws` the pictures, `error` is what ended the chart, if any.

        chart = LiveChart(kafka, "store.purchases", lambda df: px.histogram(df, x="region"))
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        topics: str | Sequence[str],
        chart: Callable[[pd.DataFrame], go.Figure],
        *,
        until: int | None = None,
        keep: int = 5000,
        fps: float = 4.0,
        start: Start = "beginning",
        height: int = 360,
    ) -> None:
        self.topics = [topics] if isinstance(topics, str) else list(topics)
        _check(until, keep, fps, start)
        self.seen = self.redraws = 0
        self.error: BaseException | None = None
        self._kafka, self._chart, self._start, self._height = kafka, chart, start, height
        self._until, self._period = until, 0.98 / fps  # at least `fps`, not almost
        self._rows: deque[dict[str, Any]] = deque(maxlen=keep)
        self._strings: dict[str, None] = {}
        self._drawn, self._away = 0, False
        self._missing: LessonError | None = None
        self._missing_since = 0.0
        self._lock = threading.Lock()
        self._halt, self._done, self._placed = (threading.Event() for _ in range(3))
        self._screen = Screen.open(self._halt.set, height)
        own(self._retire)
        _charts.add(self)
        # The context carries which cell an output belongs to.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(
            target=run, args=(self._run,), name="live-chart", daemon=True
        )
        self._thread.start()
        if start == "end":  # what is sent from now on is in the chart
            self._placed.wait(10)

    def __repr__(self) -> str:
        return "(live chart)"

    def _ipython_display_(self) -> None:
        """It was shown where it was made."""

    @property
    def df(self) -> pd.DataFrame:
        """The kept records by topic, partition and offset; waits for the end if `until` is set.

        Raises what ended the chart, if anything did, and `DeadlineError` after two minutes.
        """
        if self._until is not None or self._done.is_set():
            self.wait()
        frame = pd.DataFrame(self._kept())
        if frame.empty:
            return pd.DataFrame(columns=["topic", "partition", "offset", "key"])
        return frame.sort_values(["topic", "partition", "offset"], ignore_index=True)

    def wait(self, timeout: float = 180) -> LiveChart:
        """Wait for the chart's end, and raise what ended it, if anything did.

        An interrupt of the kernel ends the chart, not the lesson. Raises `DeadlineError`.
        """
        try:
            if not self._done.wait(timeout):
                raise self._too_late(timeout)
        except KeyboardInterrupt:
            self.stop()
        if self._screen is not None:
            self._screen.freeze_again()
        if self.error is not None:
            raise self.error
        return self

    def stop(self, timeout: float = 10) -> LiveChart:
        """End the chart and keep what it shows. Stopping twice is no error."""
        self._halt.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return self

    def _retire(self) -> None:
        self.stop()
        if self._screen is not None:
            self._screen.close()

    def _run(self) -> None:
        try:
            self._say("waits", f"Waiting for events in {', '.join(self.topics)}.")
            with Tail(self._kafka, self.topics, self._start) as tail:
                self._follow(tail)
            if self.seen and (self.seen != self._drawn or self._missing):
                self._draw()
        except Exception as error:
            self.error = error
        finally:
            self._finish()

    def _follow(self, tail: Tail) -> None:
        due = time.monotonic()
        while not (self._halt.is_set() or self._is_complete()):
            pause = due - time.monotonic() if self.seen > self._drawn else 0.1
            self._take(tail.poll(1000, min(0.1, max(0.0, pause))))
            if tail.is_placed:
                self._placed.set()
            if tail.is_away != self._away:
                self._away = tail.is_away
                self._tell()
            if self._missing and time.monotonic() > self._missing_since + _COLUMN_GRACE_S:
                raise self._missing
            began = time.monotonic()
            if began >= due and self.seen > self._drawn:
                self._try_to_draw()
                ended = time.monotonic()
                # No drift: a late picture is made up for. But a slow chart leaves time to others.
                due = max(due, began - 1.0) + self._period
                due = max(due, ended + (ended - began) / 3)

    def _take(self, messages: Sequence[Message]) -> None:
        room = len(messages) if self._until is None else self._until - self.seen
        for message in messages[:room]:
            record = row(message)
            if any(mark in part for part in _bytes(message) for mark in _MARKUP):
                self._strings.update(dict.fromkeys(marked_strings(record)))
            with self._lock:
                self._rows.append(record)
            self.seen += 1
        while len(self._strings) > _MAX_STRINGS:
            del self._strings[next(iter(self._strings))]

    def _try_to_draw(self) -> None:
        try:
            self._draw()
        except MissingColumnError as error:
            if self._missing is None:
                self._missing_since = time.monotonic()
            self._missing = error
            self._drawn = self.seen
            self._say("away", f"{error} The chart tries again as events come.")

    def _draw(self) -> None:
        seen, rows = self.seen, self._kept()
        figure = figure_of(self._chart, pd.DataFrame(rows))
        self._missing = None
        if self._screen is not None:
            figure.update_layout(autosize=True, height=figure.layout.height or self._height)
            self._screen.draw(*trees(figure, self._strings))
        self._drawn = seen
        self.redraws += 1
        self._tell()

    def _tell(self) -> None:
        if self._away:
            text = "Kafka does not answer. The chart waits, and goes on when Kafka is back."
            self._say("away", f"{text} {self._count()}.")
        elif self.seen:
            self._say("moves", self._count())

    def _finish(self) -> None:
        if self.error is not None:
            self._say("failed", f"The chart stopped: {words(self.error)}")
        elif self._is_complete():
            self._say("done", f"{self._count()}: complete")
        else:
            self._say("done", f"Stopped after {self._count()}")
        try:
            if self._screen is not None:
                self._screen.freeze()
        except Exception:
            _LOG.debug("the chart could not be frozen", exc_info=True)
        finally:
            self._placed.set()
            self._done.set()

    def _count(self) -> str:
        of = f" of {self._until:,}" if self._until is not None else ""
        kept = self._rows.maxlen or 0
        newest = f", the newest {kept:,} drawn" if self.seen > kept else ""
        return f"{self.seen:,}{of} event{'' if self.seen == 1 and not of else 's'}{newest}"

    def _say(self, mood: Mood, text: str) -> None:
        if self._screen is not None:
            self._screen.say(mood, text)

    def _kept(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._rows)

    def _is_complete(self) -> bool:
        return self._until is not None and self.seen >= self._until

    def _too_late(self, timeout: float) -> DeadlineError:
        names, wanted = ", ".join(self.topics), self._until
        if self._away:
            return DeadlineError("Kafka does not answer.", repair="Run `steamlab status`.")
        if wanted is None:
            return DeadlineError(
                "This chart has no end to wait for.", repair="End it with `chart.stop()`."
            )
        return DeadlineError(
            f"Expected {wanted:,} events of {names}, and saw {self.seen:,} in {timeout:g} s.",
            repair="Send more events, or end the chart with `chart.stop()`; `chart.df` has these.",
        )


def _check(until: int | None, keep: int, fps: float, start: str) -> None:
    for name, is_good, repair in (
        ("until", until is None or until >= 1, "Count at least one event: `until=1`."),
        ("keep", keep >= 1, "Keep at least one record: `keep=1`."),
        ("fps", 0 < fps <= 10, "Choose up to ten redraws a second: `fps=4`."),
        ("start", start in ("beginning", "end"), 'Choose start="beginning" or start="end".'),
    ):
        if not is_good:
            raise LessonError(f"A live chart cannot work with this `{name}`.", repair=repair)


def _bytes(message: Message) -> list[bytes]:
    return [part for part in (message.key(), message.value()) if isinstance(part, bytes)]


@atexit.register
def _stop_all() -> None:
    """Close the consumers before the interpreter goes."""
    for chart in list(_charts):
        chart.stop(timeout=2)
