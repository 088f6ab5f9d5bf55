"""The simulated store as a notebook holds it: play some of it, or let it run and steer it."""

from __future__ import annotations

import math
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from steamlab import topics as store_topics
from steamlab.errors import DeadlineError, LessonError, TopicError
from steamlab.replay.clock import Clock, duration_ms, rfc3339, start_ms
from steamlab.replay.control import Follower, Value, set_control
from steamlab.replay.replayer import Replayer, require_topics
from steamlab.replay.stretch import Events
from steamlab.settings import settings
from steamlab.simulator.planner import Plan

__all__ = ["START", "Store"]

START = "2025-11-17T00:00:00Z"
_NAMES = [spec.name for spec in store_topics.STORE_TOPICS]
_ENDLESS_DAYS = 364.0
# Who feeds which topics of which Kafka: a cell that runs again ends what it began before.
_feeds: weakref.WeakKeyDictionary[Store, set[tuple[str, str]]] = weakref.WeakKeyDictionary()


class Store:
    """A store whose shoppers act by a seed, sending their events into topics.

    `topics`: the store's topics and what they are called here; those left out get nothing.
    `scale`: the size of the store (1: 1,000 page views a minute); `largest`: how far the
    controls may raise it, planned from the start.
    The same seed gives the same records in the same order in every partition.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        *,
        topics: Mapping[str, str] | None = None,
        seed: int = 7,
        scale: float = 0.01,
        largest: float | None = None,
        start: str = START,
        patience: float = 600,
    ) -> None:
        self._kafka, self._patience = dict(kafka), patience
        self._topics = dict(topics) if topics is not None else {name: name for name in _NAMES}
        self._control = self._topics.pop(store_topics.CONTROL_TOPIC.name, self._own_control())
        self._seed, self._start = seed, start
        if not 0 < scale <= 10:
            raise LessonError(
                f"A store of scale {scale:g} makes no sense.",
                repair="Take a scale above 0, at most 10; 1 is 1,000 page views a minute.",
            )
        self._scale, self._largest = scale, max(scale, largest or scale)
        self._start_ms = start_ms(start)
        self._replayer: Replayer | None = None
        self._thread: threading.Thread | None = None
        self.error: BaseException | None = None
        self.notes: deque[str] = deque(maxlen=20)
        self.speed, self.scale, self.paused = math.inf, scale, False

    def play(
        self,
        duration: str = "1 day",
        *,
        only: str | Iterable[str] | None = None,
        timeout: float = 120,
    ) -> int:
        """Send the store's first `duration` as fast as Kafka takes it; return the events acked.

        `duration` counts store time: "90 minutes", "1 day", "2 weeks". `only`: the topics to fill.

            lesson.store.play("1 day", only=views)
        """
        days = duration_ms(duration) / 86_400_000
        replayer = self._prepare(math.inf, only=only)
        self._launch(replayer, days, None)
        try:
            self.wait(timeout)
        finally:
            self.stop()
        return self.acked

    def begin(
        self,
        *,
        speed: float = 1440.0,
        events: int | None = None,
        only: str | Iterable[str] | None = None,
        days: float | None = None,
    ) -> Store:
        """Let the store run in the background, `speed` store seconds a second.

        It ends after `events` events or `days` store days, and follows the control topic.
        Beginning again ends the run before; `STEAMLAB_SPEED` multiplies the speed.
        """
        replayer = self._prepare(speed, only=only, events=events)
        require_topics(self._kafka, self._targets(only))
        store_topics.create(
            self._kafka,
            [store_topics.TopicSpec(self._control, 1, store_topics.CONTROL_TOPIC.config)],
        )
        set_control(self._kafka, self._control, speed=speed, scale=self._scale, paused=False)
        follower = Follower(self._kafka, self._control, self._change, self.notes.append).start()
        self._launch(replayer, _ENDLESS_DAYS if days is None else days, follower)
        return self

    def stop(self, timeout: float = 10) -> None:
        """End the run: nothing more is sent, what was sent gets `timeout` to be acknowledged."""
        if self._thread is None or self._replayer is None or not self._thread.is_alive():
            return
        self._replayer.stop(timeout=timeout)
        self._thread.join(timeout + 5)

    def wait(self, timeout: float = 180) -> None:
        """Wait for the end of the run; raise what ended it early, or `DeadlineError`."""
        if self._thread is not None:
            self._thread.join(timeout)
        if self.running:
            raise DeadlineError(
                f"The store is still sending after {timeout:g} s: {self.acked:,} events are in.",
                repair="Give it a longer timeout, or end it with `.stop()`.",
            )
        if self.error is not None:
            raise self.error

    def set(
        self,
        *,
        speed: float | None = None,
        scale: float | None = None,
        paused: bool | None = None,
        timeout: float = 10,
    ) -> Store:
        """Change the running store, through its control topic as anybody could."""
        if scale is not None and scale > self._largest:
            raise LessonError(
                f"This store was planned for a scale of {self._largest:g} at most, not {scale:g}.",
                repair=f"Make it with Store(…, largest={scale:g}).",
            )
        set_control(
            self._kafka, self._control, speed=speed, scale=scale, paused=paused, timeout=timeout
        )
        return self

    def controls(self) -> Any:
        """Show sliders for speed and scale and a pause button; they only send control records."""
        from steamlab.widgets.sliders import sliders  # widgets take their time to import

        return sliders(self.set, speed=min(self.speed, 1e5), scale=self.scale, top=self._largest)

    @property
    def running(self) -> bool:
        """Whether events may still come."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def sent(self) -> int:
        """How many events of this run were handed to the client."""
        return self._replayer.sent if self._replayer else 0

    @property
    def acked(self) -> int:
        """How many events of this run Kafka has confirmed."""
        return self._replayer.acked if self._replayer else 0

    @property
    def failed(self) -> int:
        """How many events of this run were given up, unconfirmed."""
        return self._replayer.failed if self._replayer else 0

    @property
    def now(self) -> str:
        """The store's time: when the last event sent reached the store."""
        return rfc3339(self._replayer.reached_ms if self._replayer else self._start_ms)

    def __repr__(self) -> str:
        return f"Store of {len(self._topics)} topics, seed {self._seed}, scale {self._scale:g}"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        return {"text/plain": repr(self)}

    def _own_control(self) -> str:
        """Return the control topic beside these topics: lessons never steer each other."""
        named = self._topics.items()
        prefixes = {name.removesuffix(base) for base, name in named if name.endswith(base)}
        prefix = prefixes.pop() if len(prefixes) == 1 else ""
        return prefix + store_topics.CONTROL_TOPIC.name

    def _targets(self, only: str | Iterable[str] | None) -> list[str | None]:
        """Return where each kind of event goes; None for those not asked for."""
        if only is None:
            return [self._topics.get(name) for name in _NAMES]
        asked = [only] if isinstance(only, str) else list(only)
        chosen = {self._kind_of(name) for name in asked}
        return [self._topics.get(name) if name in chosen else None for name in _NAMES]

    def _kind_of(self, topic: str) -> str:
        for name, here in self._topics.items():
            if topic in (here, name) or store_topics.base_name(topic) == name:
                return name
        raise TopicError(
            f"The store sends nothing to {topic!r}.",
            repair=f"Its topics are {', '.join(self._topics.values())}.",
        )

    def _prepare(
        self,
        speed: float,
        *,
        only: str | Iterable[str] | None,
        events: int | None = None,
    ) -> Replayer:
        """Make the next run's replayer; whatever fed these topics before ends first."""
        targets = self._targets(only)
        mine = {(str(self._kafka["bootstrap.servers"]), name) for name in targets if name}
        for other, fed in list(_feeds.items()):
            if other is self or fed & mine:
                other.stop()
        _feeds[self] = mine
        self.error, self.speed, self.scale, self.paused = None, speed, self._scale, False
        self.notes.clear()
        replayer = Replayer(
            self._kafka,
            targets,
            Clock(self._start_ms, speed * settings().speed),
            share=self._scale / self._largest,
            events=events,
            status=self.notes.append,
            patience=self._patience,
        )
        self._replayer = replayer
        return replayer

    def _launch(self, *run: Any) -> None:
        self._thread = threading.Thread(
            target=self._run, args=run, name="steamlab-store", daemon=True
        )
        self._thread.start()

    def _run(self, replayer: Replayer, days: float, follower: Follower | None) -> None:
        try:
            replayer.run(self._chunks(days))
        except BaseException as error:  # kept: threads never print, wait() raises it
            self.error = error
        finally:
            if follower is not None:
                follower.stop()

    def _chunks(self, days: float) -> Iterator[Events]:
        plan = Plan(seed=self._seed, scale=self._largest, days=days, start=self._start)
        yield from plan.chunks()

    def _change(self, name: str, value: Value) -> None:
        """Take over a control; the follower's thread calls this."""
        if self._replayer is None:
            return
        if name == "speed":
            self.speed = value
            self._replayer.set(speed=value * settings().speed)
        elif name == "paused":
            self.paused = bool(value)
            self._replayer.set(paused=bool(value))
        else:
            if value > self._largest:
                self.notes.append(
                    f"A scale of {value:g} is more than was planned: {self._largest:g} it is."
                )
            self.scale = min(value, self._largest)
            self._replayer.set(share=self.scale / self._largest)
