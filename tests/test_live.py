"""The live chart on a real Kafka, outside of a notebook: what it counts, keeps, says, and ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from steamlab import live, tail
from steamlab.drawing.screen import Screen
from steamlab.errors import DeadlineError, LessonError, TopicError
from steamlab.frames import send
from steamlab.kafka.cluster import Cluster
from steamlab.live import LiveChart
from steamlab.topics import TopicSpec, create

pytestmark = pytest.mark.broker

EVIL = "<img src=x onerror=alert(1)>"


class FakeScreen:
    """Keeps what a screen would show."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.drawn: list[tuple[Any, Any]] = []
        self.frozen = 0

    def draw(self, traces: Any, layout: Any) -> None:
        """Keep a picture."""
        self.drawn.append((traces, layout))

    def say(self, mood: str, text: str) -> None:
        """Keep a status line."""
        self.said.append((mood, text))

    def freeze(self) -> None:
        """Count."""
        self.frozen += 1

    def freeze_again(self) -> None:
        """Nothing to do."""


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> FakeScreen:
    """Every chart of the test shows itself here."""
    fake = FakeScreen()
    monkeypatch.setattr(Screen, "open", lambda *_: fake)
    return fake


@pytest.fixture(autouse=True)
def all_ended() -> Iterator[None]:
    """Every chart of the test has ended its thread and closed its client."""
    yield
    for chart in list(live._charts):  # noqa: SLF001 - whatever the test left open
        chart.stop()
    assert [] == [each for each in threading.enumerate() if each.name == "live-chart"]


def views(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Page views of seven users, numbered."""
    return [
        {"userId": f"u{i % 7}", "gameName": ["Hades", EVIL][i % 2], "n": i}
        for i in range(start, start + count)
    ]


def count_games(df: pd.DataFrame) -> go.Figure:
    """A bar a game."""
    return px.bar(df.groupby("gameName", as_index=False).size(), x="gameName", y="size")


def until(condition: Callable[[], bool], timeout: float = 60) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_df_waits_for_the_last_event_and_is_sorted(kafka: dict[str, Any], topic: str) -> None:
    """All events by partition and offset, though they came in another order."""
    chart = LiveChart(kafka, topic, count_games, until=300)
    send(kafka, topic, views(300))
    df = chart.df
    assert 300 == len(df) == chart.seen
    assert sorted(zip(df.partition, df.offset, strict=True)) == [
        *zip(df.partition, df.offset, strict=True)
    ]
    assert set(range(300)) == set(df.n)


def test_exactly_until_events_are_taken(kafka: dict[str, Any], topic: str) -> None:
    """The end is counted in events, however many there are."""
    send(kafka, topic, views(50))
    chart = LiveChart(kafka, topic, count_games, until=20)
    assert (20, 20) == (len(chart.df), chart.seen)


def test_keep_bounds_the_records_and_seen_counts_all(kafka: dict[str, Any], topic: str) -> None:
    """Memory stays flat, and the count stays true."""
    send(kafka, topic, [event | {"userId": "one"} for event in views(50)])
    chart = LiveChart(kafka, topic, count_games, until=50, keep=10)
    assert list(range(40, 50)) == list(chart.df.n)
    assert 50 == chart.seen


def test_the_chart_function_gets_raw_records(kafka: dict[str, Any], topic: str) -> None:
    """At least one, with topic, partition, offset, key and the event's own strings."""
    sizes, columns, names = list[int](), set[str](), set[str]()

    def look(df: pd.DataFrame) -> go.Figure:
        sizes.append(len(df))
        columns.update(df.columns)
        names.update(df.gameName)
        return count_games(df)

    send(kafka, topic, views(4))
    LiveChart(kafka, topic, look, until=4).wait()
    assert min(sizes) >= 1
    assert {"topic", "partition", "offset", "key", "userId", "gameName", "n"} == columns
    assert {"Hades", EVIL} == names


def test_what_is_shown_is_escaped(kafka: dict[str, Any], topic: str, screen: FakeScreen) -> None:
    """Data, titles made from it, and nothing of the author's own markup."""
    send(kafka, topic, [{"userId": "u", "gameName": EVIL}])

    def titled(df: pd.DataFrame) -> go.Figure:
        return count_games(df).update_layout(title=f"<b>Top</b> {df.gameName.iloc[0]}")

    LiveChart(kafka, topic, titled, until=1).wait()
    traces, layout = screen.drawn[-1]
    tame = EVIL.replace("<", "&lt;")
    assert [tame] == traces[0]["x"]
    assert f"<b>Top</b> {tame}" == layout["title"]["text"]


def test_markup_that_json_hides_is_found(
    kafka: dict[str, Any], topic: str, screen: FakeScreen
) -> None:
    r"""`\u003c` in a value is a `<` in the chart."""
    with Producer(kafka) as producer:
        producer.produce(topic, b'{"gameName": "\\u003cb>x"}')
    titled = lambda df: go.Figure(layout_title_text=df.gameName.iloc[0])  # noqa: E731
    LiveChart(kafka, topic, titled, until=1).wait()
    assert "&lt;b>x" == screen.drawn[-1][1]["title"]["text"]


def test_nothing_joins_a_group_or_commits(kafka: dict[str, Any], topic: str) -> None:
    """The chart reads beside every group."""
    send(kafka, topic, views(5))
    LiveChart(kafka, topic, count_games, until=5).wait()
    with AdminClient(kafka) as admin:
        groups = admin.list_consumer_groups(request_timeout=30).result()
    assert "steamlab-live" not in {each.group_id for each in groups.valid}


@pytest.mark.parametrize(
    "chart",
    [
        lambda df: px.bar(df, x="tyme", y="n"),
        lambda df: px.bar(df["tyme"]),
        lambda df: px.bar(df.tyme),
        lambda df: px.bar(df.groupby("tyme").size()),
    ],
    ids=["px", "key", "attribute", "groupby"],
)
def test_a_missing_column_is_named(
    kafka: dict[str, Any],
    topic: str,
    screen: FakeScreen,
    monkeypatch: pytest.MonkeyPatch,
    chart: Callable[[pd.DataFrame], go.Figure],
) -> None:
    """In the status line and from df: the column, and the columns that there are."""
    monkeypatch.setattr(live, "_COLUMN_GRACE_S", 0.0)
    send(kafka, topic, views(3))
    shown = LiveChart(kafka, topic, chart, until=99)
    sentence = "The chart asks for the column 'tyme', which the events do not have."
    with pytest.raises(LessonError, match="have: topic, partition, offset, key, userId, gameName"):
        _ = shown.df
    assert sentence in str(shown.error)
    assert "failed" == screen.said[-1][0]
    assert screen.said[-1][1].startswith(f"The chart stopped: {sentence}")


def test_a_column_that_comes_later_is_waited_for(kafka: dict[str, Any], topic: str) -> None:
    """With two kinds of events the first few may lack what the others have."""
    chart = LiveChart(kafka, topic, lambda df: px.histogram(df, x="price"), until=2)
    send(kafka, topic, [{"userId": "u"}])
    until(lambda: chart.seen == 1)
    send(kafka, topic, [{"userId": "u", "price": 1.5}])
    assert chart.wait().error is None
    assert chart.redraws >= 1


def test_an_error_of_the_chart_ends_it_in_words(
    kafka: dict[str, Any], topic: str, screen: FakeScreen
) -> None:
    """The status line says it, wait and df raise it, as often as they are asked."""
    send(kafka, topic, views(1))
    chart = LiveChart(kafka, topic, lambda df: 1 / 0, until=5)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            chart.wait()
    assert ("failed", "The chart stopped: ZeroDivisionError: division by zero") == screen.said[-1]
    assert 1 == screen.frozen


def test_a_chart_function_must_return_a_figure(kafka: dict[str, Any], topic: str) -> None:
    """A forgotten return is said in words."""
    send(kafka, topic, views(1))
    with pytest.raises(LessonError, match="must return a plotly figure, and returned NoneType"):
        LiveChart(kafka, topic, lambda df: None, until=1).wait()


def test_waiting_has_a_deadline(kafka: dict[str, Any], topic: str) -> None:
    """The error says what was expected and what was seen."""
    send(kafka, topic, views(2))
    chart = LiveChart(kafka, topic, count_games, until=3)
    until(lambda: chart.seen == 2)
    with pytest.raises(DeadlineError, match=f"Expected 3 events of {topic}, and saw 2 in 0.1 s"):
        chart.wait(timeout=0.1)


def test_stop_ends_it_with_what_came(kafka: dict[str, Any], topic: str, screen: FakeScreen) -> None:
    """Stopped early is no error; df has the records so far."""
    send(kafka, topic, views(2))
    chart = LiveChart(kafka, topic, count_games, until=3)
    until(lambda: chart.redraws > 0 and chart.seen == 2)
    assert 2 == len(chart.stop().df) == len(chart.stop().df)
    assert ("done", "Stopped after 2 of 3 events") == screen.said[-1]


def test_without_an_end_df_is_what_came_so_far(kafka: dict[str, Any], topic: str) -> None:
    """There is nothing to wait for; no record at all is an empty table."""
    chart = LiveChart(kafka, topic, count_games)
    assert ["topic", "partition", "offset", "key"] == list(chart.df.columns)
    send(kafka, topic, views(2))
    until(lambda: chart.seen == 2)
    assert 2 == len(chart.df)


def test_from_the_end_means_from_now_on(kafka: dict[str, Any], topic: str) -> None:
    """What is sent after the chart was made is in it, what was sent before is not."""
    send(kafka, topic, views(20))
    chart = LiveChart(kafka, topic, count_games, until=7, start="end")
    send(kafka, topic, views(7, start=20))
    assert set(range(20, 27)) == set(chart.df.n)


def test_partitions_that_are_added_are_read(kafka: dict[str, Any], topic: str) -> None:
    """A lesson adds partitions while the chart moves: nothing lost, nothing twice."""
    send(kafka, topic, views(30))
    chart = LiveChart(kafka, topic, count_games, until=60)
    until(lambda: chart.seen == 30)
    with AdminClient(kafka) as admin:
        admin.create_partitions([NewPartitions(topic, 9)])[topic].result(30)
    with Producer(kafka) as producer:
        for number in range(30, 60):
            producer.produce(topic, f'{{"n": {number}, "gameName": "x"}}', partition=number % 9)
    df = chart.df
    assert list(range(60)) == sorted(df.n)
    assert 9 == df.partition.nunique()


def test_a_topic_that_does_not_exist_is_said(
    kafka: dict[str, Any], topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error is told with the topics that there are."""
    monkeypatch.setattr(tail, "_GRACE_S", 0.0)
    chart = LiveChart(kafka, f"{topic}x", count_games, until=1)
    with pytest.raises(TopicError, match=f"'{topic}x' does not exist.*{topic}"):
        chart.wait()


@pytest.mark.parametrize("wrong", [{"until": 0}, {"keep": 0}, {"fps": 0}, {"start": "middle"}])
def test_arguments_that_make_no_sense_are_refused(
    kafka: dict[str, Any], topic: str, wrong: dict[str, Any]
) -> None:
    """At once, by name, before anything is started."""
    with pytest.raises(LessonError, match=f"`{next(iter(wrong))}`"):
        LiveChart(kafka, topic, count_games, **wrong)


def test_redraws_are_paced(kafka: dict[str, Any], topic: str) -> None:
    """One picture a period at most, however many batches of events come."""
    chart = LiveChart(kafka, topic, count_games, until=300, fps=0.01)
    send(kafka, topic, views(30))
    until(lambda: chart.redraws == 1)
    for start in range(30, 300, 30):
        send(kafka, topic, views(30, start))
    chart.wait()
    assert 2 == chart.redraws, "the first events, and the end"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A Kafka of this file's own, to be broken."""
    with Cluster() as own:
        yield own


def test_kafka_away_is_said_and_the_chart_goes_on(screen: FakeScreen, cluster: Cluster) -> None:
    """The plug is pulled: words while it is out, then everything that is still there."""
    create(cluster.kafka, [TopicSpec("killed", 3)])
    chart = LiveChart(cluster.kafka, "killed", count_games, until=20)
    send(cluster.kafka, "killed", views(10))
    until(lambda: chart.redraws > 0 and chart.seen == 10)
    cluster.kill(1)
    until(lambda: screen.said[-1][0] == "away")
    words = "Kafka does not answer. The chart waits, and goes on when Kafka is back."
    assert f"{words} 10 of 20 events." == screen.said[-1][1]
    with pytest.raises(DeadlineError, match="Kafka does not answer"):
        chart.wait(timeout=0.01)
    cluster.start_node(1)
    until(lambda: screen.said[-1] == ("moves", "10 of 20 events"))
    send(cluster.kafka, "killed", views(10, start=10))
    assert set(range(20)) == set(chart.df.n)


def test_a_frozen_kafka_is_noticed_too(screen: FakeScreen, cluster: Cluster) -> None:
    """No connection breaks, and still nobody answers."""
    create(cluster.kafka, [TopicSpec("frozen", 1)])
    chart = LiveChart(cluster.kafka, "frozen", count_games, until=2)
    send(cluster.kafka, "frozen", views(1))
    until(lambda: chart.redraws > 0)
    cluster.freeze(1)
    until(lambda: screen.said[-1][0] == "away")
    cluster.thaw(1)
    send(cluster.kafka, "frozen", views(1))
    assert 2 == len(chart.df)


def test_a_chart_may_start_before_kafka_does(screen: FakeScreen) -> None:
    """It waits, in words, and is stopped without a struggle."""
    nobody = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
    chart = LiveChart(nobody, "views", count_games, until=1)
    until(lambda: screen.said[-1][0] == "away")
    assert 0 == len(chart.stop().df)
