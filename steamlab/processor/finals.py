"""How far all partitions were before a restart: that is what the published final records say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from steamlab.processor.published import Published
from steamlab.processor.rankings import Ranking
from steamlab.processor.records import NAMED_BY_END

__all__ = ["marks"]


def marks(
    final: Iterable[str], metrics: Iterable[Published | Ranking], grace_ms: int
) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield topics, and how far the slowest partition was in all of them, of each metric.

    `final` are the keys of final records: a metric's newest window was final by then.
    """
    newest: dict[str, str] = {}
    for key in final:
        name, start, _ = key.split("|", 2)
        newest[name] = max(start, newest.get(name, start))
    for metric in metrics:
        if metric.name in newest:
            window = _instant_ms(newest[metric.name])
            window += metric.size if metric.name in NAMED_BY_END else 0
            yield metric.topics, metric.settled_ms(window) + grace_ms


def _instant_ms(start: str) -> int:
    return int(np.datetime64(start.removesuffix("Z"), "ms").astype(np.int64))
