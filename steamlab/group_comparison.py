"""Groups that go through the same at the same time, watched by their members' journals."""

from __future__ import annotations

import atexit
import contextvars
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from steamlab.drawing.comparison import ComparisonView, comparison_figure
from steamlab.drawing.ownership import own
from steamlab.drawing.screen import Screen, trees
from steamlab.errors import DeadlineError
from steamlab.members.journal import Entry
from steamlab.members.member import Member
from steamlab.members.timeline import held, timeline, unread
from steamlab.topics import offsets

__all__ = ["GroupComparison"]

_MARKS = {
    "began": "starts",
    "left": "leaves",
    "failed": "fails",
    "killed": "killed",
    "frozen": "frozen",
    "thawed": "thawed",
}

_comparisons: weakref.WeakSet[GroupComparison] = weakref.WeakSet()


class GroupComparison:
    """Draw who reads what in several groups, one above the other, until `stop()`.

    `groups` maps the names to show to the groups; `members` gives all members, as they come.
    What they do after `stop()` is not looked at any more.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        groups: Mapping[str, str],
        topic: str,
        members: Callable[[], Sequence[Member]],
        *,
        fps: float = 4.0,
    ) -> None:
        self._groups, self._members = dict(groups), members
        self._places = [(topic, int(number)) for number in offsets(kafka, topic)["partition"]]
        self._opened, self._period = time.monotonic(), 1 / fps
        self._ended: float | None = None
        self._halt = threading.Event()
        self.redraws = 0
        self.error: BaseException | None = None
        empty = comparison_figure(self._view())
        self._screen = Screen.open(self._halt.set, empty.layout.height, empty)
        own(self._retire)
        _comparisons.add(self)
        run = contextvars.copy_context().run  # it carries which cell an output belongs to
        self._thread = threading.Thread(
            target=run, args=(self._run,), name="group-comparison", daemon=True
        )
        self._thread.start()

    def __repr__(self) -> str:
        return "(group comparison)"

    def _ipython_display_(self) -> None:
        """It was shown where it was made."""

    @property
    def timeline(self) -> pd.DataFrame:
        """Who read what: group, topic, partition, member, begin, end (seconds since it opened)."""
        frames = [self._timeline(group).assign(group=name) for name, group in self._groups.items()]
        columns = ["group", "topic", "partition", "member", "begin", "end"]
        return pd.concat(frames, ignore_index=True)[columns]

    @property
    def events(self) -> pd.DataFrame:
        """What happened, in order: second, group, member, what, partitions (how many)."""
        rows = [
            (entry["t"] - self._opened, name, member, entry["what"], len(entry["partitions"]))
            for name, group in self._groups.items()
            for member, entries in self._journals(group).items()
            for entry in entries
            if "partitions" in entry
        ]
        columns = ["second", "group", "member", "what", "partitions"]
        return pd.DataFrame(rows, columns=columns).sort_values("second", ignore_index=True)

    def now(self) -> float:
        """Return the seconds since it opened, and after `stop` those until then."""
        return (self._ended or time.monotonic()) - self._opened

    def unread(self, begin: float | None = None, end: float | None = None) -> pd.DataFrame:
        """Return how long nobody read: group, topic, partition, unread, longest (seconds).

        Without `begin` from each group's first poll on; without `end` until now.
        """
        frames = []
        for name, group in self._groups.items():
            frame = self._timeline(group)
            first = frame["begin"].min() if len(frame) else self.now()
            since = first if begin is None else begin
            until = self.now() if end is None else end
            frames.append(unread(frame, self._places, since, until).assign(group=name))
        columns = ["group", "topic", "partition", "unread", "longest"]
        return pd.concat(frames, ignore_index=True)[columns]

    def settle(self, *, timeout: float = 60) -> GroupComparison:
        """Wait until each group's partitions are shared out evenly among its running members.

        By the members' own account, so they must call `assigned`, `revoked` and `lost`.
        Raises `DeadlineError`.
        """
        deadline = time.monotonic() + timeout
        while whys := list(self._unsettled()):
            if time.monotonic() > deadline:
                raise DeadlineError(
                    f"The groups did not settle in {timeout:g} s: {'; '.join(whys)}.",
                    repair="Look at the picture, and at `.events`.",
                )
            time.sleep(0.05)
        return self

    def wait(self, seconds: float) -> None:
        """Let the groups go on for a while; `stop`, or its button, ends it."""
        self._halt.wait(seconds)

    def stop(self, timeout: float = 10) -> GroupComparison:
        """End it, and keep what it shows as an ordinary chart."""
        self._halt.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
        if self._screen is not None:
            self._screen.freeze_again()
        return self

    def _retire(self) -> None:
        self.stop()
        if self._screen is not None:
            self._screen.close()

    def _run(self) -> None:
        try:
            while not self._halt.is_set():
                began = time.monotonic()
                self._draw()
                self._halt.wait(max(0.05, began + self._period - time.monotonic()))
            self._ended = time.monotonic()
            self._draw()
        except Exception as error:  # a thread has nobody to raise to: the status line says it
            self.error = error
        finally:
            self._ended = self._ended or time.monotonic()
            self._finish()

    def _draw(self) -> None:
        if self._screen is not None:
            self._screen.draw(*trees(comparison_figure(self._view())))
            self._screen.say("moves", f"{self.now():.0f} s")
        self.redraws += 1

    def _view(self) -> ComparisonView:
        now = self.now()  # first: who still reads then reads up to the right end at least
        stretches, members = self.timeline, [each.name for each in self._mine()]
        begins = stretches.groupby("group")["begin"].min()
        return ComparisonView(
            groups=list(self._groups),
            partitions=[partition for _, partition in self._places],
            members=list(dict.fromkeys(members)),
            stretches=stretches,
            unread=self.unread(end=now),
            marks={name: list(self._marks(group)) for name, group in self._groups.items()},
            since={str(name): float(at) for name, at in begins.items()},
            now=now,
        )

    def _marks(self, group: str) -> Iterator[tuple[float, str]]:
        for member, entries in self._journals(group).items():
            for entry in entries:
                if entry["what"] in _MARKS:
                    second = round(entry["t"] - self._opened, 2)
                    yield second, f"{member} {_MARKS[entry['what']]}"

    def _mine(self) -> list[Member]:
        groups = set(self._groups.values())
        return [member for member in self._members() if member.group in groups]

    def _journals(self, group: str) -> dict[str, list[Entry]]:
        """Return what a group's members wrote since it opened; who came twice, in one list."""
        found: dict[str, list[Entry]] = {}
        until = self._ended or time.monotonic()
        for member in self._mine():
            seen = [at for at in member.entries() if self._opened <= at["t"] <= until]
            if member.group == group and seen:
                found.setdefault(member.name, []).extend(seen)
        return found

    def _timeline(self, group: str) -> pd.DataFrame:
        frame = timeline(self._journals(group), now=self._ended or time.monotonic())
        frame[["begin", "end"]] -= self._opened
        return frame[frame["topic"] == self._places[0][0]].reset_index(drop=True)

    def _unsettled(self) -> Iterator[str]:
        """Say of each group what is still missing."""
        for name, group in self._groups.items():
            running = [each for each in self._mine() if each.group == group and each.is_running]
            shares = [held(member.entries()) & set(self._places) for member in running]
            sizes = sorted(map(len, shares))
            is_complete = sum(sizes) == len(self._places) == len(set().union(*shares))
            if running and not (is_complete and sizes[-1] - sizes[0] <= 1):
                yield f"in {name!r} the running members have {sizes}"

    def _finish(self) -> None:
        if self._screen is None:
            return
        if self.error is not None:
            self._screen.say("failed", f"The picture stopped: {self.error}")
        self._screen.freeze()


@atexit.register
def _stop_all() -> None:
    """Let the threads end before the interpreter goes."""
    for comparison in list(_comparisons):
        comparison.stop(timeout=2)
