"""Groups that go through the same at the same time, watched by their members' journals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from steamlab.drawing.comparison import ComparisonView, comparison_figure
from steamlab.drawing.picture import Picture
from steamlab.errors import DeadlineError
from steamlab.members.journal import DEEDS, Entry
from steamlab.members.member import Member, journals
from steamlab.members.timeline import held, timeline, unread
from steamlab.topics import offsets

__all__ = ["GroupComparison"]


class GroupComparison(Picture):
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
        super().__init__("group comparison", fps)
        self._begin(comparison_figure(self._view()))

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

    def picture(self) -> tuple[go.Figure, str]:
        """Return the groups as they are now, and how long it has been."""
        return comparison_figure(self._view()), f"{self.now():.0f} s"

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
                if entry["what"] in DEEDS:
                    second = round(entry["t"] - self._opened, 2)
                    yield second, f"{member} {DEEDS[entry['what']]}"

    def _mine(self) -> list[Member]:
        groups = set(self._groups.values())
        return [member for member in self._members() if member.group in groups]

    def _journals(self, group: str) -> dict[str, list[Entry]]:
        mine = [member for member in self._mine() if member.group == group]
        return journals(mine, since=self._opened, until=self._clock())

    def _timeline(self, group: str) -> pd.DataFrame:
        frame = timeline(self._journals(group), now=self._clock())
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
