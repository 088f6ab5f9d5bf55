"""A member's side: the process that runs the learner's function as a member of a group.

Started as `python -m steamlab.members.participant FILES NAME …` by `steamlab.members.member`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from steamlab.client import client_config
from steamlab.members.handover import unpack
from steamlab.members.journal import Journal

__all__ = ["Participant", "main"]

_EMPTY_POLLS_S = 0.1  # how often polls without records are written down
_PATIENCE_S = 20.0  # how long a function may go on after it was told to leave


class Participant:
    """What a member's function gets as `me`: the way to Kafka, and a journal.

    `kafka` is a plain dictionary to merge with; `client.id` in it is the member's name.
    `assigned`, `revoked` and `lost` are callbacks for `subscribe`: they write down what they
    hear and do nothing else, so that the client goes on as it does without callbacks.
    """

    def __init__(self, name: str, bootstrap: str, journal: Journal) -> None:
        self.name = name
        self.kafka: dict[str, Any] = client_config(bootstrap) | {"client.id": name}
        self._journal = journal
        self._told_to_leave = threading.Event()
        self._written_at = 0.0

    def __repr__(self) -> str:
        return f"member {self.name}"

    def stays(self) -> bool:
        """Tell whether to go on: True until the lesson, or its end, tells the member to leave."""
        return not self._told_to_leave.is_set()

    def wait(self, seconds: float) -> None:
        """Wait, as slow work would; being told to leave ends it."""
        self._told_to_leave.wait(seconds)

    def leave(self) -> None:
        """Make `stays` say False from now on."""
        self._told_to_leave.set()

    def saw(self, messages: Iterable[Message]) -> None:
        """Write down that the member polled, and which records it got. Call it after each poll."""
        ends: dict[tuple[str, int], tuple[int, int]] = {}
        for message in messages:
            if message.error() is None:
                place = str(message.topic()), int(message.partition() or 0)
                ends[place] = int(message.offset() or 0) + 1, ends.get(place, (0, 0))[1] + 1
        now = time.monotonic()
        if ends or now - self._written_at >= _EMPTY_POLLS_S:
            self._written_at = now
            told = [[*place, end, records] for place, (end, records) in ends.items()]
            self._journal.write("read", ends=told)

    def note(self, what: str, **more: Any) -> None:
        """Write down anything else; `more` must be what JSON can say."""
        self._journal.write(what, **more)

    def assigned(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Write down which partitions were added."""
        self._journal.write("assigned", partitions=_places(partitions))

    def revoked(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Write down which partitions were taken away while the member could still commit."""
        self._journal.write("revoked", partitions=_places(partitions))

    def lost(self, _consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Write down which partitions had been given to somebody else already."""
        self._journal.write("lost", partitions=_places(partitions))


def main(arguments: Sequence[str]) -> int:
    """Run the function that is in `FILES.work`, writing `FILES.jsonl`."""
    files, name = Path(arguments[0]), arguments[1]
    journal = Journal(files.with_suffix(".jsonl"))
    try:
        work, bootstrap, given = unpack(files.with_suffix(".work").read_bytes())
        me = Participant(name, bootstrap, journal)
        threading.Thread(target=_listen, args=(me,), daemon=True).start()
        journal.write("began", pid=os.getpid())
        work(me, *given)
    except BaseException as error:
        journal.write("failed", error=f"{type(error).__name__}: {error}")
        raise
    journal.write("left")
    return 0


def _listen(me: Participant) -> None:
    """Wait for the end of standard input: the lesson closes it, and so does the lesson's death."""
    sys.stdin.buffer.read()
    me.leave()
    time.sleep(_PATIENCE_S)
    os._exit(1)


def _places(partitions: Iterable[TopicPartition]) -> list[list[str | int]]:
    return sorted([at.topic, at.partition] for at in partitions)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
