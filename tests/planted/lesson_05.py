"""Wrong answers to lesson 05, each with a fragment of the hint that it must get."""

from math import ceil

from confluent_kafka import Consumer, TopicPartition

from tests.planted import Planted


def _lag(of):
    """Make a wrong lag: `of(committed, begin, end)` for each partition."""

    def make(ns, right):
        def answer(kafka, group, topic, partitions):
            places = [TopicPartition(topic, partition) for partition in range(partitions)]
            with Consumer(kafka | {"group.id": group}) as consumer:
                return {
                    place.partition: of(
                        place.offset, *consumer.get_watermark_offsets(place, timeout=10)
                    )
                    for place in consumer.committed(places, timeout=10)
                }

        return answer

    return make


def _sum_of_partitions(ns, right):
    return lambda topics, members, assignor: sorted(members)[sum(topics.values()) :]


def _always_range(ns, right):
    return lambda topics, members, assignor: right(topics, members, "range")


def _order_of_joining(ns, right):
    def answer(topics, members, assignor):
        return members[len(members) - len(right(topics, members, assignor)) :]

    return answer


def _nobody(ns, right):
    return lambda topics, members, assignor: []


def _split_by_load(ns, right):
    """Give the next partition to whoever has least to do."""

    def answer(rates, capacity):
        for members in range(1, len(rates) + 1):
            loads = [0] * members
            for rate in sorted(rates, reverse=True):
                loads[loads.index(min(loads))] += rate
            if max(loads) <= capacity:
                return members
        return 0

    return answer


def _sum_of_rates(ns, right):
    return lambda rates, capacity: ceil(sum(rates) / capacity)


def _more_members(ns, right):
    return lambda rates, capacity: right(rates, capacity) or ceil(sum(rates) / capacity)


def _one_a_partition(ns, right):
    return lambda rates, capacity: len(rates) if right(rates, capacity) else 0


PLANTED = [
    Planted("05.1", "dealt out in turn", lambda ns, right: "6", hint="not dealt out in turn"),
    Planted(
        "05.1",
        "the fuller partition is spared",
        lambda ns, right: "it depends on how full they are",
        hint="Load plays no part",
    ),
    Planted(
        "05.2",
        "earliest rereads everything at each start",
        lambda ns, right: "105",
        hint="only where the group has committed nothing",
    ),
    Planted("05.2", "it gets what it had", lambda ns, right: "60", hint="the new ones"),
    Planted("05.3", "both read everything", lambda ns, right: "6", hint="never read the same"),
    Planted("05.3", "who came first has more", lambda ns, right: "4", hint="whoever came first"),
    Planted("05.4", "dying is leaving", lambda ns, right: "at once", hint="no goodbye"),
    Planted(
        "05.4",
        "a dead member keeps its partitions",
        lambda ns, right: "only when B is started again",
        hint="the others share",
    ),
    Planted(
        "05.5",
        "never committed means nothing to read",
        _lag(lambda committed, begin, end: end - max(committed, begin) if committed >= 0 else 0),
        hint="it has read nothing",
    ),
    Planted(
        "05.5",
        "the negative offset is a place",
        _lag(lambda committed, begin, end: end - committed),
        hint="a sign, not a place",
    ),
    Planted(
        "05.5",
        "deleted records can still be read",
        _lag(lambda committed, begin, end: end - (committed if committed >= 0 else begin)),
        hint="nobody can read it any more",
    ),
    Planted(
        "05.5",
        "a log begins at 0",
        _lag(lambda committed, begin, end: end - (max(committed, begin) if committed >= 0 else 0)),
        hint="not at 0",
    ),
    Planted(
        "05.5",
        "the committed position plays no part",
        _lag(lambda committed, begin, end: end - begin),
        hint="it has read",
    ),
    Planted(
        "05.6",
        "more members are always faster",
        lambda ns, right: "it reads, and all seven are a little faster",
        hint="a spare, not a help",
    ),
    Planted("05.6", "it is refused", lambda ns, right: "Kafka refuses it", hint="refuses nobody"),
    Planted(
        "05.7",
        "two groups share the records",
        lambda ns, right: "half of the records",
        hint="two groups share nothing",
    ),
    Planted(
        "05.7",
        "reading removes records",
        lambda ns, right: "only what `trending` has not read yet",
        hint="reading removes nothing",
    ),
    Planted(
        "05.8",
        "six partitions feed six members whatever the assignor",
        _sum_of_partitions,
        hint="range deals out each topic by itself",
    ),
    Planted("05.8", "every assignor is range", _always_range, hint="all partitions in one row"),
    Planted("05.8", "who joined last is idle", _order_of_joining, hint="goes by name"),
    Planted("05.8", "nobody is ever idle", _nobody, hint="Look at one topic at a time"),
    Planted("05.9", "partitions are split by load", _split_by_load, hint="not by load"),
    Planted("05.9", "a partition can be cut in two", _sum_of_rates, hint="none is cut in two"),
    Planted(
        "05.9", "more members are always faster", _more_members, hint="more members than partitions"
    ),
    Planted("05.9", "one member a partition", _one_a_partition, hint="are enough"),
    Planted(
        "05.10",
        "heartbeats are enough",
        lambda ns, right: "nothing special: its heartbeats keep it in the group",
        hint="Heartbeats say only",
    ),
    Planted(
        "05.10",
        "who is evicted loses its records",
        lambda ns, right: "Slow's ten orders are lost",
        hint="nothing was lost",
    ),
]
