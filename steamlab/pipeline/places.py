"""Where the processor reads and writes, and the settings of its clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steamlab.processor.chapters import CHAPTERS
from steamlab.topics import DEAD_LETTER_TOPIC, METRICS_TOPIC, STORE_TOPICS, TopicSpec

__all__ = ["PARTITIONS", "Places", "reading", "writing"]

PARTITIONS = STORE_TOPICS[0].partitions

# A process that is silent for this long loses its partitions. Its transaction may be open then, and
# holds up whoever reads what is committed until it has timed out: that must be longer than a batch
# takes, and than the session, or a process would be fenced while it still owns its partitions.
SESSION_MS = 3_000
TRANSACTION_MS = 8_000

_LARGEST = 4 * 1024 * 1024  # a bucket of partial cells is one record
_COMPACTED = {
    "cleanup.policy": "compact",
    "max.message.bytes": str(_LARGEST),
    # What a restart reads is what compaction has left: it leaves the newest segment as it is, so
    # segments are small, but no record may be larger than one.
    "segment.bytes": str(_LARGEST),
    "min.cleanable.dirty.ratio": "0.2",
}


@dataclass(frozen=True)
class Places:
    """The processor's topics and groups, all with the same prefix, such as a lesson's number."""

    prefix: str = ""

    @property
    def inputs(self) -> list[str]:
        """The five topics of the store, in the order of `ALL_TOPICS`."""
        return [self.prefix + spec.name for spec in STORE_TOPICS]

    @property
    def metrics(self) -> str:
        """Where the records go."""
        return self.prefix + METRICS_TOPIC.name

    @property
    def dead_letters(self) -> str:
        """Where refused events go."""
        return self.prefix + DEAD_LETTER_TOPIC.name

    @property
    def partials(self) -> str:
        """The partial cells: a partition for each chapter of the metrics."""
        return self.prefix + "analytics.partials"

    @property
    def changelog(self) -> str:
        """The first stage's state: a partition for each partition of the input."""
        return self.prefix + "analytics.changelog"

    def group(self, stage: str) -> str:
        """Return the consumer group of a stage."""
        return f"{self.prefix}steamlab.process.{stage}"

    def specs(self) -> list[TopicSpec]:
        """Return all topics as they should be."""
        named = [*STORE_TOPICS, METRICS_TOPIC, DEAD_LETTER_TOPIC]
        return [
            *(TopicSpec(self.prefix + spec.name, spec.partitions, spec.config) for spec in named),
            TopicSpec(self.partials, len(CHAPTERS), _COMPACTED),
            TopicSpec(self.changelog, PARTITIONS, _COMPACTED),
        ]


def reading(kafka: Mapping[str, Any], group: str) -> dict[str, Any]:
    """Return the settings of a stage's consumer."""
    return dict(kafka) | {
        "group.id": group,
        "group.protocol": "consumer",
        # The default, uniform, gives the same partition number of five topics to five members.
        "group.remote.assignor": "range",
        "enable.auto.commit": False,  # offsets are part of the transaction
        # Of offsets, too: where a transaction with some is open, its end is awaited.
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
        "queued.max.messages.kbytes": 32 * 1024,
    }


def writing(kafka: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the settings of a stage's producer; `name` is that of one process at a time."""
    return dict(kafka) | {
        "transactional.id": name,
        "transaction.timeout.ms": TRANSACTION_MS,
        "compression.type": "lz4",
        "message.max.bytes": _LARGEST,
        "queue.buffering.max.messages": 1_000_000,
        "linger.ms": 5,
        "partitioner": "murmur2_random",  # as Java's clients have it
    }
