"""How fast all sixteen metrics are computed in memory, beside decoding and validating alone.

Run `python benchmarks/processor_memory.py`. Both see the same records of simulated days, in
micro-batches of 20,000, alternating; the figures are medians of processor time.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time

from steamlab.events import decode
from steamlab.processor.first_stage import FirstStage, Message
from steamlab.processor.second_stage import SecondStage
from steamlab.simulator.planner import Plan
from steamlab.topics import STORE_TOPICS

__all__ = ["main"]

BATCH = 20_000


def main() -> None:
    """Print microseconds an event: validation alone, with the first stage, with both stages."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=400_000)
    options.add_argument("--scale", type=float, default=0.1)
    options.add_argument("--runs", type=int, default=3)
    asked = options.parse_args()
    batches = _batches(asked.events, asked.scale)
    count = sum(map(len, batches))
    gc.collect()
    gc.freeze()
    spent: dict[str, list[float]] = {"validate": [], "first": [], "second": []}
    for _ in range(asked.runs):
        spent["validate"].append(_validate(batches) / count)
        first, second = _process(batches)
        spent["first"].append(first / count)
        spent["second"].append(second / count)
    validate, first, second = (statistics.median(each) * 1e6 for each in spent.values())
    print(f"{count:,} events, scale {asked.scale}, batches of {BATCH:,}, median of {asked.runs}")
    print(f"decode and validate alone    {validate:6.2f} us an event")
    print(f"first stage, with it         {first:6.2f} us an event: {1e6 / first:9,.0f} events/s")
    print(f"second stage                 {second:6.2f} us an event")
    both = first + second
    print(f"all sixteen metrics          {both:6.2f} us an event: {1e6 / both:9,.0f} events/s")
    print(f"                             {both / validate:6.2f} x decoding and validating alone")


def _batches(count: int, scale: float) -> list[list[Message]]:
    names = [spec.name for spec in STORE_TOPICS]
    messages: list[Message] = []
    for chunk in Plan(scale=scale, days=14).chunks():
        encoded = chunk.encode(0, min(len(chunk), count - len(messages)), None)
        messages += [
            Message(names[kind], key, value, headers) for kind, key, value, headers in encoded
        ]
        if len(messages) >= count:
            break
    return [messages[low : low + BATCH] for low in range(0, len(messages), BATCH)]


def _validate(batches: list[list[Message]]) -> float:
    begin = time.process_time()
    for batch in batches:
        for topic, key, value, headers, arrived_ms in batch:
            decode(value, key=key, topic=topic, headers=headers, arrived_ms=arrived_ms)
    return time.process_time() - begin


def _process(batches: list[list[Message]]) -> tuple[float, float]:
    """Return the seconds of both stages, with the garbage collector as the processor sets it."""
    first, second = FirstStage(), SecondStage()
    spent = [0.0, 0.0]
    gc.disable()
    for batch in batches:
        begin = time.process_time()
        output = first.process(batch)
        middle = time.process_time()
        second.update(0, output.cells, output.clocks)
        assert second.changes()
        second.closed()
        spent[0] += middle - begin
        spent[1] += time.process_time() - middle
    gc.enable()
    return spent[0], spent[1]


if __name__ == "__main__":
    main()
