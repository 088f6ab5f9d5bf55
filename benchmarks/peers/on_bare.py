"""The reference: `consume(1000)` until all events are there, and nothing is read of them.

Run by `benchmarks/peers.py`: ADDRESS TOPICS COUNT RESULT.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from confluent_kafka import Consumer


def main(bootstrap: str, topics: str, count: int, result: Path) -> None:
    """Consume `count` records of the topics and write how many there were."""
    config = {"bootstrap.servers": bootstrap, "group.id": f"bare-{time.time()}"}
    config |= {"auto.offset.reset": "earliest", "enable.auto.commit": "false"}
    consumer = Consumer(config | {"group.protocol": "consumer"})
    consumer.subscribe(topics.split(","))
    read = 0
    while read < count:
        batch = consumer.consume(1000, 1)
        assert not any(message.error() for message in batch)
        read += len(batch)
    consumer.close()
    result.write_text(json.dumps({"read": read}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
