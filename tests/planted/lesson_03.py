"""Wrong answers to lesson 03, each with a fragment of the hint that it must get."""

import time

from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from tests.planted import Planted


def _arrival_order(ns, right):
    def answer(purchases):
        minute = purchases["timestamp"].str[:16].rename("minute")
        revenue = purchases["totalAmount"].groupby(minute, sort=False).sum().round(2)
        return revenue.rename("revenue").reset_index()

    return answer


def _not_summed(ns, right):
    return lambda purchases: (
        purchases.assign(minute=purchases["timestamp"].str[:16], revenue=purchases["totalAmount"])
        .sort_values("minute")[["minute", "revenue"]]
        .reset_index(drop=True)
    )


def _free_left_out(ns, right):
    return lambda purchases: right(purchases[purchases["totalAmount"] > 0])


def _average(ns, right):
    def answer(purchases):
        minute = purchases["timestamp"].str[:16].rename("minute")
        mean = purchases["totalAmount"].groupby(minute).mean().round(2)
        return mean.rename("revenue").reset_index()

    return answer


def _empty_poll_is_the_end(ns, right):
    def answer(consumer, count, seconds):
        messages = []
        while len(messages) < count:
            batch = consumer.consume(count - len(messages), timeout=1)
            if not batch:
                return messages, "deadline"
            messages += batch
        return messages, "count"

    return answer


def _more_than_asked(ns, right):
    def answer(consumer, count, seconds):
        messages, deadline = [], time.monotonic() + seconds
        while len(messages) < count and time.monotonic() < deadline:
            messages += consumer.consume(1000, timeout=0.5)
        return messages, "count" if len(messages) >= count else "deadline"

    return answer


def _wrong_bound(ns, right):
    return lambda consumer, count, seconds: (right(consumer, count, seconds)[0], "deadline")


def _number_of_older(ns, right):
    def answer(kafka, topic, partitions, since_ms):
        records, starts = ns["lesson"].read(topic), {}
        for partition in range(partitions):
            inside = records[records["partition"] == partition] if len(records) else records
            starts[partition] = int((inside["at"] < since_ms).sum()) if len(inside) else 0
        return starts

    return answer


def _as_the_client_says(ns, right):
    def answer(kafka, topic, partitions, since_ms):
        with Consumer(kafka | {"group.id": "wrong"}) as consumer:
            asked = [TopicPartition(topic, p, since_ms) for p in range(partitions)]
            return {
                place.partition: place.offset if place.offset >= 0 else OFFSET_END
                for place in consumer.offsets_for_times(asked, timeout=10)
            }

    return answer


def _from_the_beginning(ns, right):
    return lambda kafka, topic, partitions, since_ms: dict.fromkeys(range(partitions), 0)


PLANTED = [
    Planted(
        "03.1",
        "latest means newest record",
        lambda ns, right: "the newest record",
        hint="does not mean the newest record",
    ),
    Planted(
        "03.2",
        "an empty poll is the end",
        lambda ns, right: "the end of the log is reached",
        hint="not the end",
    ),
    Planted(
        "03.2",
        "an empty poll is an error",
        lambda ns, right: "the connection is lost",
        hint="look the same from here",
    ),
    Planted("03.3", "arrival order is event order", _arrival_order, hint="not in order"),
    Planted("03.3", "not summed", _not_summed, hint="add up what belongs together"),
    Planted("03.3", "a free order is no purchase", _free_left_out, hint="a free order"),
    Planted("03.3", "the average", _average, hint="Sum `totalAmount`"),
    Planted("03.4", "an empty poll is the end", _empty_poll_is_the_end, hint="not the end"),
    Planted("03.4", "more than asked for", _more_than_asked, hint="at most"),
    Planted("03.4", "the wrong bound", _wrong_bound, hint="that ended it"),
    Planted(
        "03.5",
        "timestamp order is offset order",
        _number_of_older,
        hint="timestamp order is not offset order",
    ),
    Planted("03.5", "-1 is an offset", _as_the_client_says, hint="the client's sign"),
    Planted("03.5", "from the beginning", _from_the_beginning, hint="without need"),
    Planted(
        "03.6",
        "earliest rereads everything at each start",
        lambda ns, right: "everything again",
        hint="does not reread",
    ),
    Planted("03.6", "an error", lambda ns, right: "an error", hint="no error came"),
]
