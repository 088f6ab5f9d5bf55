"""Wrong answers to lesson 06, each with a fragment of the hint that it must get."""

from confluent_kafka import TopicPartition

from tests.planted import Planted


def _gaps_between_neighbours(ns, right):
    """Add up begin minus the end before it, overlaps counted as less than nothing."""

    def answer(timeline):
        first, last = timeline["begin"].min(), timeline["end"].max()
        seconds = {}
        for partition, rows in timeline.sort_values("begin").groupby("partition"):
            read = (rows["end"] - rows["begin"]).sum()
            seconds[partition] = last - first - read
        return seconds

    return answer


def _previous_row_only(ns, right):
    def answer(timeline):
        first, last = timeline["begin"].min(), timeline["end"].max()
        seconds = {}
        for partition, rows in timeline.sort_values("begin").groupby("partition"):
            gaps = (rows["begin"] - rows["end"].shift(fill_value=first)).clip(lower=0)
            seconds[partition] = gaps.sum() + last - rows["end"].iloc[-1]
        return seconds

    return answer


def _between_stretches_only(ns, right):
    def answer(timeline):
        seconds = {}
        for partition, rows in timeline.sort_values("begin").groupby("partition"):
            before = rows["end"].cummax().shift()
            seconds[partition] = (rows["begin"] - before).clip(lower=0).sum()
        return seconds

    return answer


def _as_it_comes(ns, right):
    def answer(timeline):
        first, last = timeline["begin"].min(), timeline["end"].max()
        seconds = {}
        for partition, rows in timeline.groupby("partition"):
            reached, unread = first, 0.0
            for row in rows.itertuples():
                unread += max(0.0, row.begin - reached)
                reached = max(reached, row.end)
            seconds[partition] = unread + last - reached
        return seconds

    return answer


def _places(partitions, done):
    known = [(each.topic, each.partition) for each in partitions]
    return [place for place in known if place in done]


def _nothing_is_committed(ns, right):
    return lambda done: {"on_revoke": lambda *_: None, "on_lost": lambda *_: None}


def _what_was_read(ns, right):
    def answer(done):
        def on_revoke(consumer, partitions):
            consumer.commit(offsets=consumer.position(partitions), asynchronous=False)

        return right(done) | {"on_revoke": on_revoke}

    return answer


def _the_last_booked(ns, right):
    def answer(done):
        def on_revoke(consumer, partitions):
            places = _places(partitions, done)
            offsets = [TopicPartition(*place, done.pop(place) - 1) for place in places]
            if offsets:
                consumer.commit(offsets=offsets, asynchronous=False)

        return right(done) | {"on_revoke": on_revoke}

    return answer


def _commits(done, *, forgets):
    def callback(consumer, partitions):
        take = done.pop if forgets else done.get
        offsets = [TopicPartition(*place, take(place)) for place in _places(partitions, done)]
        if offsets:
            consumer.commit(offsets=offsets, asynchronous=False)

    return callback


def _nothing_is_forgotten(ns, right):
    return lambda done: right(done) | {"on_revoke": _commits(done, forgets=False)}


def _commits_when_lost(ns, right):
    return lambda done: right(done) | {"on_lost": _commits(done, forgets=True)}


def _keeps_what_was_lost(ns, right):
    return lambda done: right(done) | {"on_lost": lambda *_: None}


def _no_on_lost(ns, right):
    return lambda done: {"on_revoke": right(done)["on_revoke"]}


def _no_id(ns, right):
    return lambda name, seconds: {"session.timeout.ms": 2000 * seconds}


def _one_id_for_all(ns, right):
    return lambda name, seconds: right(name, seconds) | {"group.instance.id": "till"}


def _new_id_each_time(ns, right):
    count = iter(range(1000))
    return lambda name, seconds: (
        right(name, seconds) | {"group.instance.id": f"{name}-{next(count)}"}
    )


def _only_an_id(ns, right):
    return lambda name, seconds: {"group.instance.id": name}


def _as_long_as_can_be(ns, right):
    return lambda name, seconds: (
        {"group.instance.id": name, "max.poll.interval.ms": 1_800_000}
        | {"session.timeout.ms": 1_800_000}
    )


def _longer_than_the_poll_interval(ns, right):
    return lambda name, seconds: right(name, seconds) | {"session.timeout.ms": 1_000_000}


def _in_seconds(ns, right):
    return lambda name, seconds: right(name, seconds) | {"session.timeout.ms": 2 * seconds}


def _the_new_protocol(ns, right):
    return lambda name, seconds: {"group.instance.id": name, "group.protocol": "consumer"}


PLANTED = [
    Planted("06.1", "commit the last record", lambda ns, right: "249", hint="one past it"),
    Planted("06.1", "the end is committed", lambda ns, right: "409", hint="how far the group"),
    Planted("06.2", "flush counts failures", lambda ns, right: "1", hint="its fate is known"),
    Planted("06.2", "flush raises", lambda ns, right: "an exception", hint="delivery report"),
    Planted(
        "06.3",
        "only what moves stops, in eager too",
        lambda ns, right: "neither",
        hint="everybody lets go of everything",
    ),
    Planted(
        "06.4",
        "the new protocol is faster because it is newer",
        lambda ns, right: "the protocol: consumer is the newest, and the fastest",
        hint="Newer is not faster",
    ),
    Planted(
        "06.4",
        "eager is slow to notice",
        lambda ns, right: "the protocol: eager stops everything, and is the slowest",
        hint="takes eager a moment",
    ),
    Planted("06.5", "overlaps count twice", _gaps_between_neighbours, hint="overlap"),
    Planted("06.5", "the row before is the last one", _previous_row_only, hint="overlap"),
    Planted("06.5", "no edges", _between_stretches_only, hint="before a partition's first"),
    Planted("06.5", "rows come in order", _as_it_comes, hint="in order of time"),
    Planted(
        "06.6",
        "a rebalance loses records",
        lambda ns, right: "some are lost",
        hint="A rebalance loses nothing by itself",
    ),
    Planted(
        "06.6",
        "the group knows what was booked",
        lambda ns, right: "each is booked once",
        hint="Nobody tells the next reader",
    ),
    Planted("06.7", "nobody need commit", _nothing_is_committed, hint="committed nothing"),
    Planted("06.7", "read is done", _what_was_read, hint="read and not booked is lost"),
    Planted("06.7", "commit the last record", _the_last_booked, hint="one past the last"),
    Planted("06.7", "done stays true", _nothing_is_forgotten, hint="`done` was stale"),
    Planted("06.7", "commit in on_lost", _commits_when_lost, hint="never commit there"),
    Planted("06.7", "lost comes back as it was", _keeps_what_was_lost, hint="what was lost"),
    Planted("06.7", "on_lost is not needed", _no_on_lost, hint="calls `on_revoke` in its place"),
    Planted(
        "06.8",
        "the newcomer is refused",
        lambda ns, right: "the new one stops",
        hint="come back from a restart",
    ),
    Planted(
        "06.8",
        "two may have one id",
        lambda ns, right: "both go on",
        hint="one member",
    ),
    Planted("06.9", "no id is needed", _no_id, hint="says goodbye"),
    Planted("06.9", "one id for all", _one_id_for_all, hint="would be fenced"),
    Planted("06.9", "a new id for each start", _new_id_each_time, hint="came back"),
    Planted("06.9", "an id is enough", _only_an_id, hint="the broker misses the member"),
    Planted("06.9", "the longer the better", _as_long_as_can_be, hint="really dies"),
    Planted("06.9", "beyond the poll interval", _longer_than_the_poll_interval, hint="refuses"),
    Planted("06.9", "seconds for milliseconds", _in_seconds, hint="misses the member"),
    Planted("06.9", "the new protocol", _the_new_protocol, hint="the classic protocol"),
]

ACCEPTED = {
    ("06.9", "result other group.instance.id"): "any id will do that is the member's own",
    ("06.9", "result other session.timeout.ms"): "a millisecond more is as good",
}
