"""The live group board: a consumer group as its broker and its members see it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from confluent_kafka import KafkaException

from steamlab.drawing.board import BoardView, board_figure
from steamlab.drawing.picture import Picture
from steamlab.errors import DeadlineError, LabError
from steamlab.groups import Group, lag, look_at
from steamlab.members.journal import DEEDS, Entry
from steamlab.members.member import Member, journals
from steamlab.members.timeline import held, timeline, unread
from steamlab.topics import offsets

__all__ = ["GroupBoard"]

_MARKS = DEEDS | {"lost": "evicted"}


class GroupBoard(Picture):
    """Show a consumer group four times a second until `stop()`.

    Who has which partition, and the committed offsets, come from the broker; who read what
    when comes from the members' journals. `members` gives the members to draw, as they come.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        group: str,
        topics: str | Sequence[str],
        members: Callable[[], Sequence[Member]],
        *,
        fps: float = 4.0,
    ) -> None:
        self._kafka, self._group, self._members = kafka, group, members
        self._topics = [topics] if isinstance(topics, str) else list(topics)
        self._places = [
            (name, int(partition))
            for name in self._topics
            for partition in offsets(kafka, name)["partition"]
        ]
        super().__init__("group board", fps)
        self._begin(board_figure(self._view(Group("dead", {}), self.lag)))

    @property
    def sizes(self) -> dict[str, int]:
        """How many partitions the broker says each member has, by member."""
        return {name: len(has) for name, has in sorted(self._look().members.items())}

    @property
    def assignment(self) -> pd.DataFrame:
        """Who has which partition, as the broker says: member, topic, partition."""
        members = self._look().members.items()
        rows = [(name, *place) for name, has in sorted(members) for place in sorted(has)]
        return pd.DataFrame(rows, columns=["member", "topic", "partition"])

    @property
    def lag(self) -> pd.DataFrame:
        """How far the group is behind now: topic, partition, committed, end, lag (records)."""
        return lag(self._kafka, self._group, self._topics)

    @property
    def timeline(self) -> pd.DataFrame:
        """Who read what: topic, partition, member, begin, end (seconds since the board opened)."""
        frame = timeline(self._journals(), now=self._clock())
        shown = pd.MultiIndex.from_frame(frame[["topic", "partition"]]).isin(self._places)
        frame[["begin", "end"]] -= self._opened
        return frame[shown].reset_index(drop=True)

    @property
    def events(self) -> pd.DataFrame:
        """What happened, in order: second, member, what, partitions (how many it was about)."""
        rows = [
            (entry["t"] - self._opened, name, entry["what"], len(entry.get("partitions", ())))
            for name, entries in self._journals().items()
            for entry in entries
            if entry["what"] in _MARKS or "partitions" in entry
        ]
        frame = pd.DataFrame(rows, columns=["second", "member", "what", "partitions"])
        return frame.sort_values("second", ignore_index=True)

    def unread(self, begin: float, end: float | None = None) -> pd.DataFrame:
        """Return how long nobody read each partition: topic, partition, unread, longest (seconds).

        `begin` and `end` are seconds since the board opened; without `end` until now.
        """
        return unread(self.timeline, self._places, begin, self.now() if end is None else end)

    def settle(self, members: Sequence[str] | None = None, *, timeout: float = 60) -> GroupBoard:
        """Wait until the group is stable, has these members, and they know what they have.

        Without names: the members whose processes run. Raises `DeadlineError`.
        """
        deadline = time.monotonic() + timeout
        while why := self._is_unsettled(members):
            if time.monotonic() > deadline:
                raise DeadlineError(
                    f"The group {self._group!r} did not settle in {timeout:g} s: {why}.",
                    repair="Look at the board, and at `board.events`.",
                )
            time.sleep(0.05)
        return self

    def catch_up(self, *, timeout: float = 60) -> GroupBoard:
        """Wait until the group has committed the end of every partition. Raises `DeadlineError`."""
        deadline = time.monotonic() + timeout
        while behind := int(self.lag["lag"].sum()):
            if time.monotonic() > deadline:
                raise DeadlineError(
                    f"The group {self._group!r} is {behind:,} records behind after {timeout:g} s.",
                    repair="Look at the board: does somebody read each partition, and commit?",
                )
            time.sleep(0.05)
        return self

    def picture(self) -> tuple[go.Figure, str] | None:
        """Return the board as it is now, and the group's state in words."""
        try:
            group, behind = self._look(), self.lag
        except (KafkaException, LabError):
            return None
        return board_figure(self._view(group, behind)), self._status(group, behind)

    def _view(self, group: Group, behind: pd.DataFrame) -> BoardView:
        now, journals = self.now(), self._journals()
        stretches = self.timeline
        return BoardView(
            places=self._places,
            members=list(journals),
            holds=group.members,
            lag=behind,
            stretches=stretches,
            marks=self._marks(journals),
            since=float(stretches["begin"].min()) if len(stretches) else None,
            now=now,
        )

    def _marks(self, journals: Mapping[str, Sequence[Entry]]) -> list[tuple[float, str]]:
        return [
            (round(entry["t"] - self._opened, 2), f"{name} {_MARKS[entry['what']]}")
            for name, entries in journals.items()
            for entry in entries
            if entry["what"] in _MARKS
        ]

    def _journals(self) -> dict[str, list[Entry]]:
        return journals(self._members(), since=self._opened, until=self._clock())

    def _is_unsettled(self, names: Sequence[str] | None) -> str | None:
        """Say what is still missing, or nothing."""
        running = {member.name: member for member in self._members() if member.is_running}
        wanted = sorted(running if names is None else names)
        group = self._look()
        if sorted(group.members) != wanted:
            return f"its members are {sorted(group.members)}, and {wanted} should be"
        # One that nobody is in, and that committed nothing, Kafka soon forgets: it is dead then.
        if group.state not in (("stable",) if wanted else ("empty", "dead")):
            return f"it is {group.state}"
        for name, has in group.members.items():
            entries = running[name].entries() if name in running else []
            if any(entry["what"] == "assigned" for entry in entries) and held(entries) != has:
                return f"{name} does not know yet what it has"
        shared = set().union(*group.members.values())
        if wanted and shared != set(self._places):
            return f"{len(shared)} of {len(self._places)} partitions are given out"
        return None

    def _look(self) -> Group:
        return look_at(self._kafka, self._group)

    def _status(self, group: Group, behind: pd.DataFrame) -> str:
        count, state = len(group.members), group.state.replace("_", " ")
        return (
            f"Group {self._group}: {state}, {count} member{'' if count == 1 else 's'}, "
            f"{int(behind['lag'].sum()):,} records behind"
        )
