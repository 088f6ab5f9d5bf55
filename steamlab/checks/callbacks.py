"""A learner's callbacks, called one by one on a member of a real group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, TopicPartition

from steamlab.checks import AnswerError, call
from steamlab.checks.twins import CLASSIC, some_group

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__ = ["Make", "callbacks_of", "why_not_callbacks"]

Make = Callable[[dict[Any, int]], Any]
_NAMES = ("on_assign", "on_revoke", "on_lost")


def callbacks_of(make: Make, done: dict[Any, int]) -> dict[str, Callable[..., object]]:
    """Return what the learner's function gives, if `subscribe` can take it."""
    given = call(make, done)
    if not isinstance(given, dict) or not all(callable(each) for each in given.values()):
        raise AnswerError("a dictionary of callbacks was expected, by their names.")
    if unknown := sorted(map(str, given.keys() - set(_NAMES))):
        raise AnswerError(f"`subscribe` knows {', '.join(_NAMES)}, and no {unknown[0]}.")
    if "on_revoke" not in given:
        raise AnswerError("there is no `on_revoke`: the moment to commit passes unused.")
    if "on_lost" not in given:
        raise AnswerError(
            "there is no `on_lost`, so the client calls `on_revoke` in its place, which commits "
            "for a partition that somebody else has by then."
        )
    return given


def why_not_callbacks(lesson: Lesson, topic: str, make: Make) -> str:
    """Call the callbacks one by one on a member of a real group; say what is wrong, or "".

    The topic has twenty records in each of two partitions; all of them have been read.
    """
    done: dict[Any, int] = {}
    call(make, {})  # a member of its own: its dictionary is not the next one's
    given = callbacks_of(make, done)
    with Consumer(lesson.kafka | CLASSIC | {"group.id": some_group(lesson)}) as consumer:
        consumer.subscribe([topic])
        if len(consumer.consume(40, timeout=30)) != 40:
            raise AnswerError("the check's own topic could not be read. Run the check again.")
        stage = _Stage(consumer, topic, done, given)
        return stage.revoke() or stage.revoke_again() or stage.lose()


@dataclass
class _Stage:
    """A member, and what its group has committed after each call of a callback."""

    consumer: Consumer
    topic: str
    done: dict[Any, int]
    given: Mapping[str, Callable[..., object]]

    def revoke(self) -> str:
        """Take both partitions; 4 and 7 of the records read have been booked."""
        self._fire("on_assign", 0, 1)
        self.done |= {(self.topic, 0): 4, (self.topic, 1): 7}
        self._fire("on_revoke", 0, 1)
        noted = self._noted()
        if noted == [4, 7]:
            return ""
        if max(noted) < 0:
            return (
                "`on_revoke` was called, and the group has committed nothing. Whoever gets the "
                "partitions next will book again what you have booked already."
            )
        if noted == [20, 20]:
            return (
                "4 and 7 records were booked, 20 and 20 read, and you committed [20, 20]. What "
                "has been read and not booked is lost: commit what is in `done`."
            )
        if noted == [3, 6]:
            return (
                "`done` said 4 and 7, and you committed [3, 6]. A commit is one past the last "
                "record: the offset to go on at."
            )
        return f"`done` said 4 and 7, and {noted} was committed."

    def revoke_again(self) -> str:
        """Give a partition back that somebody else has read on, and take it away at once."""
        self._commit(0, 15)
        self._fire("on_assign", 0)
        self._fire("on_revoke", 0)
        if self._noted()[0] == 15:
            return ""
        return (
            "a partition went to somebody else, who read on to 15, and came back. Before you had "
            f"booked anything it was revoked again, and your commit set it to {self._noted()[0]}. "
            "`done` was stale: forget in it what is not yours any more."
        )

    def lose(self) -> str:
        """Say that a partition was lost which somebody else has read on."""
        self.done[self.topic, 1] = 9
        self._commit(1, 15)
        self._fire("on_lost", 1)
        if self._noted()[1] != 15:
            return (
                f"`on_lost` committed {self._noted()[1]}, and the new owner had read on to 15. In "
                "`on_lost` the partition is somebody else's: never commit there."
            )
        self._fire("on_assign", 1)
        self._fire("on_revoke", 1)
        if self._noted()[1] == 15:
            return ""
        return (
            f"a lost partition came back and was revoked, and your commit set it from 15 to "
            f"{self._noted()[1]}. `done` was stale: forget in it what was lost."
        )

    def _fire(self, name: str, *partitions: int) -> None:
        if name in self.given:
            places = [TopicPartition(self.topic, partition) for partition in partitions]
            try:
                self.given[name](self.consumer, places)
            except Exception as error:
                raise AnswerError(
                    f"your `{name}` raised `{type(error).__name__}: {error}`."
                ) from error

    def _commit(self, partition: int, offset: int) -> None:
        at = TopicPartition(self.topic, partition, offset)
        self.consumer.commit(offsets=[at], asynchronous=False)

    def _noted(self) -> list[int]:
        places = [TopicPartition(self.topic, partition) for partition in (0, 1)]
        return [at.offset for at in self.consumer.committed(places, timeout=10)]
