"""One lesson's scope: its Kafka, its topics, its store, its charts, its checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pandas as pd
import plotly.graph_objects as go
from confluent_kafka import KafkaError, Message
from filelock import FileLock, Timeout

from steamlab import broker, charts, frames, receipt, topics
from steamlab.checks import Verdict, judge
from steamlab.client import client_config
from steamlab.errors import LessonError
from steamlab.group_board import GroupBoard
from steamlab.group_comparison import GroupComparison
from steamlab.groups import delete_group
from steamlab.kafka.cluster import Cluster
from steamlab.live import LiveChart
from steamlab.members.member import Member
from steamlab.progress import Progress, progress, record
from steamlab.settings import settings
from steamlab.store import START, Store
from steamlab.widgets.plug import Plug
from steamlab.widgets.predict import Prediction

__all__ = ["Lesson"]

T = TypeVar("T")

_open: dict[str, Lesson] = {}


class Lesson:
    """What a notebook works with; its cells can be run again at will.

    `kafka` is a plain dictionary to merge with: `Producer(lesson.kafka | {"acks": "all"})`.
    `store` is the simulated store, playing into this lesson's topics; its time begins at `opens`.
    Topics carry the lesson's number, so open notebooks never touch each other.
    Making the same lesson again closes the earlier one: charts, stores and clusters end.
    """

    def __init__(self, number: str, *, opens: str = START) -> None:
        if not (len(number) == 2 and number.isdigit()):
            raise LessonError(
                f"A lesson's number has two digits, and this is {number!r}.",
                repair='Write it as in Lesson("03").',
            )
        if earlier := _open.pop(number, None):
            earlier.close()
        charts.install()
        self.number, self._opens = number, opens
        self.kafka: dict[str, Any] = client_config(broker.up().bootstrap)
        self.prefix, self._lease = _lease(number)
        self._started: list[Any] = []
        self.store = self.store_on(self.kafka)
        _open[number] = self

    def __repr__(self) -> str:
        return f"Lesson {self.number}"

    def topic_name(self, name: str) -> str:
        """Return the lesson's name for a topic, and make sure that no such topic exists yet."""
        full = f"{self.prefix}.{name}"
        topics.delete(self.kafka, [full])
        return full

    def topic(
        self,
        name: str,
        *,
        partitions: int = 6,
        config: Mapping[str, str] | None = None,
        cluster: Cluster | None = None,
    ) -> str:
        """Create a fresh, empty topic; its name begins with the lesson's number."""
        spec = topics.TopicSpec(f"{self.prefix}.{name}", partitions, dict(config or {}))
        topics.recreate(cluster.kafka if cluster else self.kafka, spec)
        return spec.name

    def store_on(self, where: Cluster | Mapping[str, Any], *, seed: int = 7) -> Store:
        """Return a store that plays into this lesson's topics, there or with another seed."""
        kafka = where.kafka if isinstance(where, Cluster) else where
        mapping = {spec.name: f"{self.prefix}.{spec.name}" for spec in topics.STORE_TOPICS}
        return self._own(Store(kafka, topics=mapping, seed=seed, start=self._opens))

    @property
    def own_cluster(self) -> Cluster | None:
        """The cluster that this lesson started last, if it did."""
        return self._last(Cluster)

    @property
    def last_store(self) -> Store | None:
        """The store that this lesson made last."""
        return self._last(Store)

    def cluster(self, *, brokers: int = 1, config: Mapping[str, object] | None = None) -> Cluster:
        """Start a Kafka of this lesson's own, to be broken; the one before it ends."""
        while earlier := self.own_cluster:
            self._end(earlier)
        return self._own(Cluster(brokers=brokers, config=config).start())

    def plug(self, cluster: Cluster) -> Plug:
        """Show the button that kills a cluster with SIGKILL, and starts it again."""
        return Plug(cluster)

    def group(self, name: str) -> str:
        """Return the lesson's name for a consumer group, and make the group forget.

        Members of it that this lesson started leave first.
        """
        full = f"{self.prefix}.{name}"
        for thing in [*self._started]:
            if isinstance(thing, Member) and thing.group == full:
                self._end(thing)
        delete_group(self.kafka, full)
        return full

    def start(self, name: str, work: Callable[..., object], group: str, *arguments: Any) -> Member:
        """Run `work(me, group, *arguments)` as a process of its own, a member of the group.

        One of that name in the group that still runs leaves first. Returns once the process
        has begun.
        """
        for member in self.members:
            if (member.name, member.group) == (name, group):
                member.stop()
        return self._own(Member(self.kafka, name, work, group, *arguments)).wait_for("began")

    @property
    def members(self) -> list[Member]:
        """All members that this lesson started, in that order; also those that have ended."""
        return [thing for thing in self._started if isinstance(thing, Member)]

    def group_board(self, group: str, topics: str | Sequence[str]) -> GroupBoard:
        """Show a group's members, partitions, lag and rebalances as they move, until `stop()`."""

        def members() -> list[Member]:
            return [each for each in self.members if each.group == group]

        return self._own(GroupBoard(self.kafka, group, topics, members))

    def group_comparison(self, groups: Mapping[str, str], topic: str) -> GroupComparison:
        """Show who reads what in several groups, one above the other, until `stop()`.

        `groups` maps the names to show to the groups.
        """
        return self._own(GroupComparison(self.kafka, groups, topic, lambda: self.members))

    def read(
        self,
        topic: str | Sequence[str],
        *,
        until: int | None = None,
        kafka: Mapping[str, Any] | None = None,
        timeout: float = 30,
    ) -> pd.DataFrame:
        """Read from the beginning to `until` records, or to the end as it stands now."""
        return frames.read(kafka or self.kafka, topic, until=until, timeout=timeout)

    def wait_for_partitions(self, topic: str, partitions: int) -> None:
        """Wait until every client sees that a topic has grown."""
        topics.wait_for_partitions(self.kafka, topic, partitions)

    def offsets(self, topic: str) -> pd.DataFrame:
        """Return the first and the next offset of each partition: partition, begin, end."""
        return topics.offsets(self.kafka, topic)

    def live(
        self,
        topic: str | Sequence[str],
        chart: Callable[[pd.DataFrame], go.Figure],
        *,
        until: int | None = None,
        kafka: Mapping[str, Any] | None = None,
    ) -> LiveChart:
        """Draw `chart(df)` from a topic's events as they come, until `until` of them came."""
        return self._own(LiveChart(kafka or self.kafka, topic, chart, until=until))

    def predict(self, number: str, question: str, options: Sequence[str]) -> Prediction:
        """Ask for a prediction; `check(number, …)` judges it later."""
        return Prediction(number, question, options)

    def check(self, number: str, answer: object) -> Verdict:
        """Judge an answer by what the broker holds, or by data that the notebook has not shown."""
        verdict = judge(self, number, answer)
        record(number, verdict.state)
        return verdict

    def progress(self) -> Progress:
        """Show which exercises of this lesson are ok, and how many of the course."""
        return progress(lesson=self.number)

    def keep_receipt(self, error: KafkaError | None, message: Message) -> None:
        """Keep the delivery report of the learner's own order for the lessons to come."""
        receipt.keep(error, message)

    def receipt(self) -> dict[str, Any]:
        """Return the order of lesson 00 and its place, as a row of `read`.

        If it is not on the broker any more it is placed again, and if there was none, a sample.
        """
        return receipt.find(self.kafka)

    def close(self) -> None:
        """End what this lesson started: charts, members, clusters. Topics stay to be looked at."""
        while self._started:
            self._end(self._started[-1])
        self._lease.release()

    def _last(self, kind: type[T]) -> T | None:
        return next((thing for thing in reversed(self._started) if isinstance(thing, kind)), None)

    def _own(self, thing: T) -> T:
        self._started.append(thing)
        return thing

    def _end(self, thing: Any) -> None:
        self._started.remove(thing)
        thing.stop()


def _lease(number: str) -> tuple[str, FileLock]:
    """Return a topic prefix that no other kernel uses: `05`, else `05b`, `05c` …

    `STEAMLAB_LETTER` says where to begin.
    """
    folder = settings().home / "lessons"
    folder.mkdir(parents=True, exist_ok=True)
    for letter in ["", *"bcdefghijklmnopqrstuvwxyz"]:
        if letter < settings().letter:
            continue
        lock = FileLock(folder / f"{number}{letter}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return number + letter, lock
    raise LessonError(
        f"Lesson {number} is open in 26 kernels already.",
        repair="Shut some of them down in JupyterLab: Kernel, Shut Down All Kernels.",
    )
