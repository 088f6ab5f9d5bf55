"""The sixteen metrics of the store over all accepted events at once: plain pandas, no Kafka.

    tables = to_tables(read_file("day.jsonl").accepted)
    records(tables)

`sales`, `funnel`, `products` and `shoppers` hold a function for each metric; `sixteen` lists them
with their windows. What the stream processor publishes is held against these.
"""

from __future__ import annotations

from steamlab.metrics.reading import Reading, Refused, read_file, read_lines
from steamlab.metrics.recording import Record, key, records
from steamlab.metrics.sixteen import METRICS, Metric
from steamlab.metrics.tables import Tables, to_tables

__all__ = [
    "METRICS",
    "Metric",
    "Reading",
    "Record",
    "Refused",
    "Tables",
    "key",
    "read_file",
    "read_lines",
    "records",
    "to_tables",
]
