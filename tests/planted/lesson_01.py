"""Wrong answers to lesson 01, each with a fragment of the hint that it must get."""

from math import ceil

from confluent_kafka.admin import NewTopic

from tests.planted import Planted

_WEEK = "604800000"


def _refunds(name="store.refunds", partitions=6, **config):
    settings = {"retention.ms": _WEEK, "cleanup.policy": "delete"} | {
        key.replace("_", "."): value for key, value in config.items()
    }
    return lambda ns, right: NewTopic(name, num_partitions=partitions, config=settings)


ACCEPTED = {
    ("01.7", "topic changed"): "any name in the store's style that says refund will do",
    (
        "01.7",
        "config without cleanup.policy",
    ): "`delete` is the broker's default, and the check asks it",
}

PLANTED = [
    Planted(
        "01.1", "records are dealt out in turn", lambda ns, right: "3", hint="not dealt out in turn"
    ),
    Planted("01.1", "no rule", lambda ns, right: "it depends", hint="neither has changed"),
    Planted(
        "01.2",
        "reading removes records",
        lambda ns, right: "nothing",
        hint="Reading removes nothing",
    ),
    Planted(
        "01.3",
        "order is global",
        lambda ns, right: "in the order sent, 1 to 12",
        hint="no order over the whole topic",
    ),
    Planted(
        "01.3", "there is no order", lambda ns, right: "in no order at all", hint="each list rises"
    ),
    Planted(
        "01.4",
        "more partitions later are harmless",
        lambda ns, right: "every shopper's events stay together, where they were",
        hint="not harmless",
    ),
    Planted(
        "01.4",
        "records move",
        lambda ns, right: "some shoppers move, with their old events too",
        hint="a record never moves",
    ),
    Planted(
        "01.5",
        "every key is broken",
        lambda ns, right: lambda records: sorted(set(records["key"])),
        hint="you named all",
    ),
    Planted(
        "01.5", "no key is broken", lambda ns, right: lambda records: [], hint="you named no key"
    ),
    Planted(
        "01.5",
        "keys in the new partitions",
        lambda ns, right: lambda records: sorted(set(records[records["partition"] >= 2]["key"])),
        hint="too many",
    ),
    Planted(
        "01.5", "not sorted", lambda ns, right: lambda records: right(records)[::-1], hint="sorted"
    ),
    Planted(
        "01.6",
        "more partitions later are harmless",
        lambda ns, right: lambda rate, each, growth: max(1, ceil(rate / each)),
        hint="Count the growth in",
    ),
    Planted(
        "01.6",
        "rounded down",
        lambda ns, right: lambda rate, each, growth: max(1, int(rate * growth // each)),
        hint="Round up",
    ),
    Planted(
        "01.6",
        "half a partition",
        lambda ns, right: lambda rate, each, growth: rate * growth / each,
        hint="a whole number",
    ),
    Planted(
        "01.7",
        "retention in seconds",
        _refunds(retention_ms="604800"),
        hint="`retention.ms` is in milliseconds",
    ),
    Planted(
        "01.7",
        "fewer events need fewer partitions",
        _refunds(partitions=3),
        hint="different partition numbers",
    ),
    Planted("01.7", "the broker will know", _refunds(partitions=-1), hint="names no number"),
    Planted("01.7", "a small budget of bytes", _refunds(retention_bytes="1"), hint="drops refunds"),
    Planted("01.7", "compacted", _refunds(cleanup_policy="compact"), hint="newest record of each"),
    Planted(
        "01.7",
        "the broker's default will do",
        lambda ns, right: NewTopic("store.refunds", num_partitions=6),
        hint="write `retention.ms` down",
    ),
    Planted("01.7", "a name of its own style", _refunds(name="Store_Refunds"), hint="named like"),
    Planted(
        "01.7",
        "a setting that there is not",
        _refunds(retention_days="7"),
        hint="the broker refused",
    ),
]
