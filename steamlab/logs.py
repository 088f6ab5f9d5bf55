"""A topic's log as the broker holds it: its files, and a picture that moves as it changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import psutil

from steamlab import broker, frames, topics
from steamlab.charts import partition_logs
from steamlab.drawing.escape import escape_tree
from steamlab.drawing.ownership import own
from steamlab.drawing.screen import Screen
from steamlab.errors import DeadlineError
from steamlab.settings import settings

__all__ = ["picture", "segments", "watch_log"]

_GONE = "×"  # sorts behind every key in ASCII, so that no game changes its colour
_HEIGHT = 190
_PERIOD_S = 0.25


def segments(topic: str) -> pd.DataFrame:
    """List the segment files of a topic on this computer's disk, in the order of its log.

    Columns: partition, file (named by the first offset that it may hold), bytes, active (it
    takes the new records). Empty where the broker is no process of this computer.
    """
    data = _data_folder()
    rows = [
        {"partition": int(folder.name.rpartition("-")[2]), "file": file.name, "bytes": size}
        for folder in (data.glob(f"{topic}-*") if data else [])
        if folder.name.removeprefix(f"{topic}-").isdigit()
        for file in folder.glob("*.log")
        if (size := _size(file)) is not None
    ]
    frame = pd.DataFrame(rows, columns=["partition", "file", "bytes"])
    frame = frame.sort_values(["partition", "file"], ignore_index=True)
    return frame.assign(active=~frame.duplicated("partition", keep="last"))


def watch_log(
    kafka: Mapping[str, Any],
    topic: str,
    until: Callable[[pd.DataFrame], bool],
    *,
    timeout: float = 30,
) -> pd.DataFrame:
    """Draw a topic's log until `until(records)` is true, and return the records that are left.

    A grey box is an offset without a record. Raises `DeadlineError`.
    """
    halt, deadline = threading.Event(), time.monotonic() + timeout
    screen = Screen.open(halt.set, _HEIGHT)
    if screen is not None:
        own(screen.close)
    try:
        while True:
            records, ends = frames.read(kafka, topic, timeout=timeout), topics.offsets(kafka, topic)
            told = f"{int(ends['end'].sum())} offsets given out, {len(records)} records held"
            if screen is not None:
                _show(screen, picture(records, ends), told)
            if until(records) or halt.wait(_PERIOD_S):
                return records
            if time.monotonic() > deadline:
                raise _too_late(topic, told, timeout)
    finally:
        if screen is not None:
            screen.freeze()


def picture(records: pd.DataFrame, ends: pd.DataFrame) -> go.Figure:
    """Draw records at their offsets, and a grey box for each offset that holds none.

    `ends` has the columns partition and end, as `lesson.offsets` gives them.
    """
    held = set(zip(records["partition"], records["offset"], strict=True))
    empty = [
        {"partition": partition, "offset": offset, "key": _GONE}
        for partition, end in zip(ends["partition"], ends["end"], strict=True)
        for offset in range(end)
        if (partition, offset) not in held
    ]
    boxes = [*records[["partition", "offset", "key"]].to_dict("records"), *empty]
    frame = pd.DataFrame(boxes, columns=["partition", "offset", "key"])
    figure = partition_logs(frame, partitions=len(ends), height=_HEIGHT)
    figure.update_traces({"marker.color": "#EEF1F4"}, selector={"name": _GONE})
    return figure


def _show(screen: Screen, figure: go.Figure, told: str) -> None:
    traces = [escape_tree(each.to_plotly_json()) for each in figure.data]
    screen.draw(traces, escape_tree(figure.layout.to_plotly_json()))
    screen.say("moves", told)


def _too_late(topic: str, told: str, timeout: float) -> DeadlineError:
    return DeadlineError(
        f"Expected the broker to clean up {topic} within {timeout:g} s, and saw {told}.",
        repair="The lab's Kafka looks every second, others every few minutes: `steamlab status` "
        "says whose this is. Then fill the topic again.",
    )


def _data_folder() -> Path | None:
    """Return where the shared Kafka's first broker keeps its data, if that is to be found out."""
    kafka = broker.find()
    if kafka is None:
        return None
    if kafka.origin == "local":
        return settings().home / "kafka" / "node1" / "data"
    host, _, port = kafka.bootstrap.partition(",")[0].rpartition(":")
    return _folder_of_process(int(port)) if host in ("127.0.0.1", "localhost") else None


def _folder_of_process(port: int) -> Path | None:
    """Another home's lab broker, given by its address, runs in its node's folder as ours does."""
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.pid
            if listens and getattr(connection.laddr, "port", None) == port:
                return Path(psutil.Process(connection.pid).cwd()) / "data"
    return None


def _size(file: Path) -> int | None:
    try:
        return int(file.stat().st_size)
    except FileNotFoundError:  # the broker was quicker
        return None
