"""The process of a stage: `python -m steamlab.pipeline.worker`, started by the supervisor.

It ends by itself when it is told to, or when the supervisor is gone; any error ends it as well.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys

import msgspec
from msgspec import Struct

from steamlab.client import client_config
from steamlab.errors import TopicError
from steamlab.pipeline.places import Places
from steamlab.pipeline.stage import Stage
from steamlab.processor.chapters import chapters_of
from steamlab.processor.families import GRACE_MS

__all__ = ["HOPELESS", "STAGES", "Orders", "main"]

HOPELESS = 78  # the exit code of a process that would die of the same again

STAGES = ("first", "second")  # each imports what it needs: a start costs that much less


class Orders(Struct, frozen=True, omit_defaults=True):
    """What a worker is told: its stage, where Kafka is, its name among all processes; times.

    `supervisor` is the process without which it must not go on; `only` are the chapters of metrics
    that are counted, without any all of them.
    """

    stage: str
    bootstrap: str
    name: str
    prefix: str
    supervisor: int
    grace_ms: int = GRACE_MS
    idle_s: float = 5.0
    only: tuple[str, ...] = ()


def main(text: str) -> None:
    """Run a stage until SIGTERM, SIGINT, or the end of the process that started this one."""
    orders = msgspec.json.decode(text, type=Orders)
    logging.basicConfig(level=logging.WARNING, format=f"%(asctime)s {orders.name}: %(message)s")
    stopped: list[int] = []
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda number, _: stopped.append(number))
    stage = _stage(orders)
    # What lives long is not looked through again; batches leave next to no cycles.
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000)
    try:
        stage.run(lambda: bool(stopped) or os.getppid() != orders.supervisor)
    except TopicError as error:
        logging.getLogger("steamlab.process").error("%s", error)
        sys.exit(HOPELESS)
    stage.close()


def _stage(orders: Orders) -> Stage:
    kafka, places = client_config(orders.bootstrap), Places(orders.prefix)
    if orders.stage == "first":
        from steamlab.pipeline.first import First

        return First(
            kafka,
            places,
            orders.name,
            grace_ms=orders.grace_ms,
            idle_s=orders.idle_s,
            chapters=chapters_of(orders.only),
        )
    from steamlab.pipeline.second import Second

    return Second(kafka, places, orders.name, grace_ms=orders.grace_ms)


if __name__ == "__main__":
    main(sys.argv[1])
