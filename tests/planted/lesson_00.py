"""Wrong answers to lesson 00, each with a fragment of the hint that it must get."""

from confluent_kafka import Consumer, TopicPartition

from tests.planted import Planted


def _one_partition(ns, right):
    def answer(topic):
        with Consumer(ns["lesson"].kafka | {"group.id": "wrong"}) as consumer:
            begin, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
        return end - begin

    return answer


def _ends_only(ns, right):
    def answer(topic):
        with Consumer(ns["lesson"].kafka | {"group.id": "wrong"}) as consumer:
            places = [TopicPartition(topic, partition) for partition in range(6)]
            return sum(consumer.get_watermark_offsets(p, timeout=10)[1] for p in places)

    return answer


def _asked_once(ns, right):
    known = {}
    return lambda topic: known.setdefault(topic, right(topic))


PLANTED = [
    Planted(
        "00.1",
        "counting what was printed",
        lambda ns, right: lambda topic: len(ns["seen"]),
        hint="what the chart had drawn",
    ),
    Planted("00.1", "one partition is the topic", _one_partition, hint="one partition of six"),
    Planted("00.1", "end is the number of records", _ends_only, hint="need not begin at offset 0"),
    Planted("00.1", "asked once and kept", _asked_once, hint="each time it is called"),
    Planted("00.1", "a string", lambda ns, right: lambda topic: "137", hint="a whole number"),
    Planted(
        "00.2",
        "a restart begins at nothing",
        lambda ns, right: "starts again from nothing",
        hint="to its log",
    ),
    Planted(
        "00.2",
        "what was sold meanwhile is lost",
        lambda ns, right: "keeps the old orders, and has lost what was sold meanwhile",
        hint="kept it in memory",
    ),
]
