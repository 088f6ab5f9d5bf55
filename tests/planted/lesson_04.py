"""Wrong answers to lesson 04, each with a fragment of the hint that it must get."""

import json

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from tests.planted import Planted


def _tombstones_skipped(ns, right):
    return lambda messages: right([each for each in messages if each.value() is not None])


def _tombstones_as_prices(ns, right):
    def answer(messages):
        table = {}
        for message in messages:
            value = message.value()
            table[message.key().decode()] = None if value is None else json.loads(value)["price"]
        return table

    return answer


def _first_price_stays(ns, right):
    def answer(messages):
        table = {}
        for message in messages:
            if message.value() is None:
                table.pop(message.key().decode(), None)
            else:
                table.setdefault(message.key().decode(), json.loads(message.value())["price"])
        return table

    return answer


def _free_is_gone(ns, right):
    return lambda messages: {game: price for game, price in right(messages).items() if price}


def _gone_for_ever(ns, right):
    def answer(messages):
        dead = {each.key() for each in messages if each.value() is None}
        return right([each for each in messages if each.key() not in dead])

    return answer


def _keys_as_bytes(ns, right):
    return lambda messages: {game.encode(): price for game, price in right(messages).items()}


def _with(**changes):
    """Return the right settings with some of them changed; `_` stands for the dot."""
    named = {name.replace("_", "."): value for name, value in changes.items()}

    def make(ns, right):
        merged = right | named
        return {name: value for name, value in merged.items() if value is not None}

    return make


def _end_minus_begin(ns, right):
    def answer(kafka, topic):
        offsets = ns["lesson"].offsets(topic)
        return int((offsets["end"] - offsets["begin"]).sum())

    return answer


def _sum_of_ends(ns, right):
    """Right for a log that is read; then the ends, where the beginning was deleted."""

    def answer(kafka, topic):
        offsets = ns["lesson"].offsets(topic)
        return int(offsets["end"].sum()) if offsets["begin"].any() else right(kafka, topic)

    return answer


def _one_partition(ns, right):
    def answer(kafka, topic):
        with Consumer(kafka | {"group.id": "04.wrong", "enable.auto.commit": False}) as consumer:
            consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
            return len(consumer.consume(1000, timeout=1))

    return answer


def _empty_poll_is_the_end(ns, right):
    def answer(kafka, topic):
        count = 0
        with Consumer(kafka | {"group.id": "04.wrong", "enable.auto.commit": False}) as consumer:
            consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(3)])
            while batch := consumer.consume(1000, timeout=0.01):
                count += len(batch)
        return count

    return answer


def _uncommitted(ns, right):
    return lambda kafka, topic: right(kafka | {"isolation.level": "read_uncommitted"}, topic)


PLANTED = [
    Planted("04.1", "flush()==0 means stored", lambda ns, right: "4", hint="is not success"),
    Planted("04.2", "a position counts", lambda ns, right: "5", hint="not a count"),
    Planted("04.2", "a position is the last read", lambda ns, right: "7", hint="reads 8 next"),
    Planted(
        "04.3",
        "7 days means gone after 7 days",
        lambda ns, right: "only the order of 6 days ago",
        hint="do not mean gone after seven days",
    ),
    Planted(
        "04.4",
        "compaction leaves one record per key",
        lambda ns, right: "6 records",
        hint="does not leave one record per key",
    ),
    Planted("04.4", "nothing goes", lambda ns, right: "12 records", hint="had a newer one"),
    Planted("04.5", "a tombstone deletes at once", lambda ns, right: "nothing", hint="was away"),
    Planted(
        "04.5",
        "a tombstone leaves the price",
        lambda ns, right: "the price and the tombstone",
        hint="a newer record of its key",
    ),
    Planted("04.6", "a tombstone is no record", _tombstones_skipped, hint="is a tombstone"),
    Planted("04.6", "a tombstone is a price", _tombstones_as_prices, hint="is a tombstone"),
    Planted("04.6", "the first price stays", _first_price_stays, hint="record of a key counts"),
    Planted("04.6", "a free game is gone", _free_is_gone, hint="which is a price"),
    Planted("04.6", "gone for ever", _gone_for_ever, hint="sold again"),
    Planted("04.6", "keys are bytes", _keys_as_bytes, hint="text in the table"),
    Planted("04.7", "old prices by age", _with(cleanup_policy="delete"), hint="not at keys"),
    Planted(
        "04.7", "as the metrics", _with(cleanup_policy="compact,delete"), hint="by key, not by age"
    ),
    Planted("04.7", "compact is enough", _with(segment_ms=None), hint="active for 168 hours"),
    Planted(
        "04.7",
        "the default ratio",
        _with(**{"min.cleanable.dirty.ratio": None}),
        hint="50% of the log",
    ),
    Planted(
        "04.7", "the default for tombstones", _with(delete_retention_ms=None), hint="86400000 ms"
    ),
    Planted(
        "04.7",
        "a lag keeps prices longer",
        _with(**{"min.compaction.lag.ms": str(365 * 24 * 3600 * 1000)}),
        hint="keeps the cleaner away from every price",
    ),
    Planted("04.7", "numbers", lambda ns, right: right | {"segment.ms": 3600000}, hint="strings"),
    Planted("04.8", "end minus begin is a count", lambda ns, right: "3", hint="not the number of"),
    Planted("04.8", "a marker takes no offset", lambda ns, right: "5", hint="took one more"),
    Planted("04.9", "end minus begin is a count", _end_minus_begin, hint="not the number of"),
    Planted("04.9", "a log begins at 0", _sum_of_ends, hint="sum of the ends"),
    Planted("04.9", "partition 0 is the topic", _one_partition, hint="in one partition"),
    Planted("04.9", "an empty poll is the end", _empty_poll_is_the_end, hint="first empty poll"),
    Planted("04.9", "aborted records count", _uncommitted, hint="read_committed"),
]
