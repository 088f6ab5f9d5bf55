"""How fast events are decoded and fully validated, beside msgspec's bare typed decode.

Run `python benchmarks/decode.py`. Both see the same records of the simulator, alternating; the
figures are medians of processor time. The bare decode checks types and ranges, and nothing else:
no key, headers, timestamp, sums, regions, unknown or repeated fields.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import msgspec

from steamlab.events import Decoded, Event, decode
from steamlab.simulator.planner import Plan
from steamlab.topics import STORE_TOPICS

__all__ = ["main"]

Record = tuple[str, bytes, bytes, list[tuple[str, bytes]]]
RUNS = 7


def main() -> None:
    """Print microseconds an event: bare, full, and for events that are bad or noted."""
    records = _records(50_000)
    plain = [each for each in records if _decode(each).event and not _decode(each).notes]
    odd = [
        (topic, key, value[:-1] + b',"abTest":"B"}', headers)
        for topic, key, value, headers in plain[:5_000]
    ]
    assert all(("unknown_field",) == _decode(each).notes for each in odd)
    bare_decode = msgspec.json.Decoder(Event).decode

    def bare() -> None:
        for _, _, value, _ in plain:
            bare_decode(value)

    def full() -> None:
        for topic, key, value, headers in plain:
            decode(value, key=key, topic=topic, headers=headers, arrived_ms=0)

    def exact() -> None:
        for topic, key, value, headers in odd:
            decode(value, key=key, topic=topic, headers=headers, arrived_ms=0)

    spent: dict[str, list[float]] = {"bare": [], "full": [], "exact": []}
    for _ in range(RUNS):
        spent["bare"].append(_microseconds(bare, len(plain)))
        spent["full"].append(_microseconds(full, len(plain)))
        spent["exact"].append(_microseconds(exact, len(odd)))
    median = {name: statistics.median(each) for name, each in spent.items()}
    print(f"{len(plain):,} clean events of {len(records):,}, median of {RUNS} runs")
    print(f"msgspec's bare typed decode  {median['bare']:6.2f} us an event")
    print(f"steamlab's full validation   {median['full']:6.2f} us an event")
    print(f"the exact path (odd events)  {median['exact']:6.2f} us an event")


def _records(count: int) -> list[Record]:
    names = [spec.name for spec in STORE_TOPICS]
    records: list[Record] = []
    for chunk in Plan(scale=0.05, days=1).chunks():
        encoded = chunk.encode(0, min(len(chunk), count - len(records)), None)
        records += [(names[kind], key, value, headers) for kind, key, value, headers in encoded]
        if len(records) >= count:
            break
    return records


def _decode(record: Record) -> Decoded:
    topic, key, value, headers = record
    return decode(value, key=key, topic=topic, headers=headers, arrived_ms=0)


def _microseconds(run: Callable[[], None], count: int) -> float:
    begin = time.process_time()
    run()
    return (time.process_time() - begin) / count * 1e6


if __name__ == "__main__":
    main()
