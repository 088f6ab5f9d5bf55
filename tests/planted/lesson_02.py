"""Wrong answers to lesson 02, each with a fragment of the hint that it must get."""

import json

from confluent_kafka import Producer

from tests.planted import Planted


def _drops_when_full(ns, right):
    def answer(producer, topic, events):
        confirmed = []
        for event in events:
            try:
                producer.produce(
                    topic,
                    value=json.dumps(event),
                    on_delivery=lambda e, m: e or confirmed.append(1),
                )
            except BufferError:
                continue
        producer.flush(30)
        return len(confirmed)

    return answer


def _flush_is_success(ns, right):
    def answer(producer, topic, events):
        for event in events:
            while True:
                try:
                    producer.produce(topic, value=json.dumps(event))
                    break
                except BufferError:
                    producer.poll(0.1)
        return len(events) if producer.flush(30) == 0 else 0

    return answer


def _counts_before_the_end(ns, right):
    def answer(producer, topic, events):
        confirmed = []
        for event in events:
            while True:
                try:
                    producer.produce(
                        topic,
                        value=json.dumps(event),
                        on_delivery=lambda e, m: e or confirmed.append(1),
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
        said = len(confirmed)
        producer.flush(30)
        return said

    return answer


def _produce_is_sent(ns, right):
    def answer(kafka, topic, events):
        producer, sent = Producer(kafka), set()
        for event in events:
            producer.produce(topic, value=json.dumps(event))
            sent.add(event["orderId"])
        producer.flush(10)
        return sent, set()

    return answer


def _not_as_json(ns, right):
    def answer(kafka, topic, events):
        stored = set()
        with Producer(kafka) as producer:
            for event in events:
                producer.produce(topic, str(event), event["userId"])
                stored.add(event["orderId"])
        return stored, set()

    return answer


def _failures_forgotten(ns, right):
    return lambda kafka, topic, events: (right(kafka, topic, events)[0], set())


def _both_sets(ns, right):
    def answer(kafka, topic, events):
        stored, failed = right(kafka, topic, events)
        return stored, stored | failed

    return answer


def _overall_top_game(ns, right):
    def answer(records):
        partition = int(records["partition"].value_counts().idxmax())
        return partition, records["gameId"].value_counts().idxmax()

    return answer


def _partition_of_top_game(ns, right):
    def answer(records):
        game = records["gameId"].value_counts().idxmax()
        return int(records[records["gameId"] == game]["partition"].iloc[0]), game

    return answer


PLANTED = [
    Planted(
        "02.1",
        "produce() means sent, and sent means told",
        lambda ns, right: "100",
        hint="handed out by `poll`",
    ),
    Planted(
        "02.2", "produce() means sent", lambda ns, right: "50", hint="does not send, it queues"
    ),
    Planted(
        "02.3",
        "no key means round robin",
        lambda ns, right: "about 167 in each partition",
        hint="No key does not mean",
    ),
    Planted(
        "02.4",
        "the broker decides by key",
        lambda ns, right: "in one partition: the broker goes by the key",
        hint="The broker does not decide",
    ),
    Planted(
        "02.4",
        "a checksum is a checksum",
        lambda ns, right: "in one partition: the same key has the same checksum everywhere",
        hint="murmur2 in the Java client",
    ),
    Planted("02.5", "a full queue may drop", _drops_when_full, hint="produce the same one again"),
    Planted("02.5", "flush()==0 means stored", _flush_is_success, hint="An empty queue is not"),
    Planted("02.5", "counted too early", _counts_before_the_end, hint="after `flush`"),
    Planted(
        "02.6",
        "acks=all alone prevents duplicates",
        lambda ns, right: "each order once",
        hint="how many brokers",
    ),
    Planted("02.7", "produce() means sent", _produce_is_sent, hint="is not stored"),
    Planted("02.7", "any text is an event", _not_as_json, hint="Send each event as JSON"),
    Planted("02.7", "failures forgotten", _failures_forgotten, hint="in neither set"),
    Planted("02.7", "every order in both sets", _both_sets, hint="in both sets"),
    Planted(
        "02.7", "one set", lambda ns, right: lambda kafka, topic, events: {"order"}, hint="two sets"
    ),
    Planted("02.8", "the most popular game", _overall_top_game, hint="Look only at the records"),
    Planted(
        "02.8",
        "where the most popular game is",
        _partition_of_top_game,
        hint="most records in partition",
    ),
]
