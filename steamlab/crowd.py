"""Members of a classic group in a process of their own: `python -m steamlab.crowd`, for checks.

They only join and poll, and end with the process: many members that close at once in one process
may wait for each other without an end.
"""

from __future__ import annotations

import json
import os
import sys

from confluent_kafka import Consumer

from steamlab.client import client_config

__all__ = ["main"]


def main(text: str) -> None:
    """Be members until killed, or until the process that started this one is gone."""
    asked = json.loads(text)
    config = client_config(asked["bootstrap"]) | {
        "group.id": asked["group"],
        "partition.assignment.strategy": asked["assignor"],
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 200,
    }
    members = [Consumer(config | {"client.id": name}) for name in asked["members"]]
    for member in members:
        member.subscribe(asked["topics"])
    while os.getppid() == asked["parent"]:
        for member in members:
            member.poll(0.01)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
