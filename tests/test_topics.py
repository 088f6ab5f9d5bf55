"""Topics as data, and what creating, emptying and deleting them promises."""

from __future__ import annotations

import uuid
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from steamlab import topics
from steamlab.client import client_config, probe
from steamlab.errors import BrokerError, DeadlineError, TopicError
from steamlab.topics import TopicSpec, base_name

DAY_MS = 86_400_000


def test_the_stores_topics_are_those_of_the_specification() -> None:
    """Five raw topics of six partitions and seven days, in the order of the events."""
    names = [spec.name for spec in topics.STORE_TOPICS]
    assert [
        "store.game-views",
        "store.wishlist-events",
        "store.cart-events",
        "store.purchases",
        "store.searches",
    ] == names
    assert {6} == {spec.partitions for spec in topics.STORE_TOPICS}
    assert {str(7 * DAY_MS)} == {spec.config["retention.ms"] for spec in topics.STORE_TOPICS}


def test_metrics_are_kept_thirty_days_and_compacted() -> None:
    """The newest value of each key, and nothing older than thirty days."""
    metrics = topics.METRICS_TOPIC
    assert "analytics.metrics" == metrics.name
    assert {"cleanup.policy": "compact,delete", "retention.ms": "2592000000"} == metrics.config


def test_the_running_store_is_steered_by_a_compacted_topic() -> None:
    """`steamlab.control` keeps the newest value of each control, and has one partition."""
    control = topics.TopicSpec("steamlab.control", 1, {"cleanup.policy": "compact"})
    assert control == topics.CONTROL_TOPIC


@pytest.mark.parametrize(
    ("topic", "name"),
    [
        ("05.store.game-views", "store.game-views"),
        ("05b.store.game-views", "store.game-views"),
        ("store.game-views", "store.game-views"),
        ("5.store.searches", "5.store.searches"),
    ],
)
def test_a_lessons_prefix_comes_off(topic: str, name: str) -> None:
    """Two digits, a letter if there is one, and a dot; nothing else."""
    assert name == base_name(topic)


class OldLeaders(AdminClient):
    """A client that knows leaders of an epoch that is over, until it asks for them again."""

    asked = 0

    def list_topics(self, *args: Any, **more: Any) -> Any:
        """Ask who leads."""
        self.asked += 1
        return super().list_topics(*args, **more)

    def list_offsets(self, *args: Any, **more: Any) -> Any:
        """Be told of the newer epoch, as by a broker that came back, or ask in earnest."""
        if self.asked > 1:
            return super().list_offsets(*args, **more)
        told: Future[Any] = Future()
        told.set_exception(KafkaException(KafkaError(KafkaError.FENCED_LEADER_EPOCH)))
        return dict.fromkeys(args[0], told)


@pytest.mark.broker
def test_old_leaders_are_asked_for_again(
    kafka: dict[str, Any], topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client repeats an old epoch for ever: who leads has to be asked for."""
    monkeypatch.setattr(topics, "AdminClient", OldLeaders)
    assert dict.fromkeys(range(3), (0, 0)) == topics.bounds(kafka, topic, timeout=5)


def test_clients_are_quiet_by_their_settings() -> None:
    """A logger that leads nowhere keeps librdkafka's lines out of notebook cells."""
    config = client_config("127.0.0.1:9")
    assert "127.0.0.1:9" == config["bootstrap.servers"]
    assert "steamlab.kafka" == config["logger"].name
    assert not config["logger"].propagate
    assert config["logger"].handlers


def test_no_kafka_is_one_sentence() -> None:
    """Where nobody answers the error says what to run."""
    with pytest.raises(BrokerError) as caught:
        topics.offsets(client_config("127.0.0.1:9"), "any", timeout=0.2)
    assert "Kafka does not answer: " in caught.value.sentence
    assert "steamlab up" in caught.value.repair


def fill(kafka: dict[str, Any], topic: str, *, partition: int, count: int) -> None:
    """Put records into one partition."""
    with Producer(kafka) as producer:
        for _ in range(count):
            producer.produce(topic, b"x", partition=partition)
        assert 0 == producer.flush(30)


@pytest.mark.broker
def test_offsets_say_where_each_partition_begins_and_ends(
    kafka: dict[str, Any], topic: str
) -> None:
    """Four records in partition 1 of three: only its end moves."""
    fill(kafka, topic, partition=1, count=4)
    found = topics.offsets(kafka, topic)
    assert {"partition": [0, 1, 2], "begin": [0, 0, 0], "end": [0, 4, 0]} == found.to_dict("list")


@pytest.mark.broker
def test_creating_what_exists_leaves_it_alone(kafka: dict[str, Any], topic: str) -> None:
    """Neither the records nor the number of partitions change."""
    fill(kafka, topic, partition=0, count=2)
    topics.create(kafka, [TopicSpec(topic, 6)])
    assert [2, 0, 0] == topics.offsets(kafka, topic)["end"].to_list()


@pytest.mark.broker
def test_recreating_empties_at_once(kafka: dict[str, Any], topic: str) -> None:
    """Twice in a row, as a cell that is run twice: empty each time, with the new shape."""
    for partitions in (2, 1):
        fill(kafka, topic, partition=0, count=2)
        topics.recreate(kafka, TopicSpec(topic, partitions))
        assert [0] * partitions == topics.offsets(kafka, topic)["end"].to_list()


@pytest.mark.broker
def test_recreating_makes_what_was_not_there(kafka: dict[str, Any]) -> None:
    """The first run of a cell finds nothing to delete."""
    spec = TopicSpec(f"test-{uuid.uuid4().hex[:10]}", 1, {"retention.ms": "-1"})
    topics.recreate(kafka, spec)
    assert 1 == len(topics.describe(kafka, spec.name))
    topics.delete(kafka, [spec.name])


@pytest.mark.broker
def test_deleting_is_done_when_it_returns(kafka: dict[str, Any], topic: str) -> None:
    """The topic is not in the metadata any more, and deleting it again is no error."""
    topics.delete(kafka, [topic])
    seen = probe(kafka["bootstrap.servers"])
    assert seen is not None
    assert topic not in seen.topics
    topics.delete(kafka, [topic, "never-was"])


@pytest.mark.broker
def test_describe_names_leader_and_copies(kafka: dict[str, Any], topic: str) -> None:
    """Each partition has a leader among its in-sync replicas."""
    found = topics.describe(kafka, topic)
    assert ["partition", "leader", "replicas", "isr"] == list(found.columns)
    assert [0, 1, 2] == found["partition"].to_list()
    assert all(row.leader in row.isr for row in found.itertuples())


@pytest.mark.broker
def test_more_partitions_are_waited_for(kafka: dict[str, Any], topic: str) -> None:
    """After the wait all four are there; five are never, which is one sentence."""
    with AdminClient(kafka) as admin:
        admin.create_partitions([NewPartitions(topic, 4)])[topic].result(10)
    topics.wait_for_partitions(kafka, topic, 4)
    assert [0, 0, 0, 0] == topics.offsets(kafka, topic)["end"].to_list()
    with pytest.raises(DeadlineError, match=f"Waited for {topic} to have 5 partitions on broker"):
        topics.wait_for_partitions(kafka, topic, 5, timeout=1)


class TooLate(AdminClient):
    """A client whose answers need half a second at least."""

    def list_topics(self, *args: Any, timeout: float = 10, **more: Any) -> Any:
        """Return the metadata, or time out."""
        if timeout < 0.5:
            raise KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT))
        return super().list_topics(*args, timeout=timeout, **more)


@pytest.mark.broker
def test_an_answer_that_comes_too_late_is_a_wait_in_vain(
    kafka: dict[str, Any], topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has answered before is there: it is not said that Kafka does not answer."""
    monkeypatch.setattr(topics, "AdminClient", TooLate)
    with pytest.raises(DeadlineError, match="Waited for"):
        topics.wait_for_partitions(kafka, topic, 5, timeout=1)
    with pytest.raises(BrokerError, match="does not answer"):
        topics.wait_for_partitions(kafka, topic, 5, timeout=0.4)


@pytest.mark.broker
def test_an_unknown_topic_is_one_sentence(kafka: dict[str, Any], topic: str) -> None:
    """The error names the topic and says which ones there are."""
    with pytest.raises(TopicError) as caught:
        topics.describe(kafka, "store.purchase")
    assert "There is no topic 'store.purchase'." == caught.value.sentence
    assert topic in caught.value.repair


@pytest.mark.broker
@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (TopicSpec("not/a/name", 1), "Topic name is invalid"),
        (TopicSpec("test-bad", 1, {"cleanup.policy": "burn"}), "Invalid value burn"),
    ],
)
def test_what_kafka_refuses_is_one_sentence(
    kafka: dict[str, Any], spec: TopicSpec, reason: str
) -> None:
    """Kafka's own reason is in the error."""
    with pytest.raises(TopicError) as caught:
        topics.create(kafka, [spec])
    assert f"Kafka refused the topic {spec.name!r}: {reason}" in caught.value.sentence
