"""The processor is killed, at named points and at random, and every record is the oracle's."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from steamlab.kafka.cluster import Cluster
from steamlab.pipeline.crashes import POINTS
from steamlab.pipeline.worker import STAGES
from tests.killing import (
    CRASH,
    Scene,
    differences,
    environment,
    published,
    record_count,
    running,
    true,
)

pytestmark = pytest.mark.broker

# `make soak` asks for more, and for brokers to be killed, too.
_KILLS = int(os.environ.get("STEAMLAB_KILLS", "25"))
_BROKER_KILLS = int(os.environ.get("STEAMLAB_BROKER_KILLS", "0"))


class Chain:
    """A stage that dies at each of the points, one after the other: a life for each."""

    def __init__(self, stage: str) -> None:
        self.stage, self.environment = stage, environment()
        self.codes: list[int] = []
        self._arm()

    def _arm(self) -> None:
        """Let the next life end at the next point, at its second batch; the last one does not."""
        self.environment.pop(CRASH, None)
        if not self.is_through:
            self.environment[CRASH] = f"{self.stage}:{POINTS[len(self.codes)]}:2"

    @property
    def is_through(self) -> bool:
        """Whether it has died at all points."""
        return len(self.codes) == len(POINTS)

    def look(self, scene: Scene) -> None:
        """Note a death, choose the next point, and then let the next life begin."""
        supervisor = scene.supervisor(self.stage)
        process = supervisor.processes.get(self.stage)
        if process and process.poll() is not None:
            self.codes.append(process.returncode)
            self._arm()
        supervisor.look()


def test_a_death_at_each_named_point_changes_nothing(kafka: dict[str, Any]) -> None:
    """Each stage dies at all five points; each record is the oracle's; what died is aborted."""
    chains = [Chain(stage) for stage in STAGES]
    options: dict[str, Any] = {
        "groups": [(each.stage,) for each in chains],
        "environments": [each.environment for each in chains],
    }
    with running(kafka, "81.", **options) as scene:
        scene.look = lambda: [each.look(scene) for each in chains]
        scene.wait_until(lambda: all(each.is_through for each in chains), "ten deaths", 120)
        scene.finish()
        assert [[-signal.SIGKILL] * len(POINTS)] * 2 == [each.codes for each in chains]
        starts = [scene.supervisor(stage).starts[stage] for stage in STAGES]
        assert [1 + len(POINTS)] * 2 == starts
    assert [] == differences(true(kafka, scene.places), published(kafka, scene.places))
    everything = record_count(kafka, scene.places, "read_uncommitted")
    committed = record_count(kafka, scene.places, "read_committed")
    for topic in (scene.places.changelog, scene.places.partials):  # each batch writes to both
        assert everything[topic] > committed[topic]


@pytest.fixture
def cluster() -> Iterator[Cluster | None]:
    """Three brokers of our own, if some are to be killed."""
    if not _BROKER_KILLS:
        yield None
        return
    with Cluster(brokers=3) as made:
        yield made


@dataclass(frozen=True)
class Kill:
    """Whom to kill, whether only after it has committed new output, and how long after."""

    stage: str
    is_early: bool
    delay_s: float


def plan(chance: random.Random) -> list[Kill]:
    """Draw the kills: of five, four come after new output; one may hit a process that starts.

    Each two kills hit both stages, so that one's session runs out while the other's does.
    """
    kills: list[Kill] = []
    while len(kills) < _KILLS:
        for stage in chance.sample(STAGES, 2):
            is_early = len(kills) % 5 == 4
            kills.append(Kill(stage, is_early, chance.uniform(0, 3 if is_early else 0.3)))
    return kills[:_KILLS]


def kill(scene: Scene, planned: Kill) -> bool:
    """Kill as planned; return whether the victim had committed output since the last kill."""
    supervisor, before = scene.supervisor(planned.stage), dict(scene.outputs.counts)
    lives = lambda: planned.stage in supervisor.processes  # noqa: E731
    wrote = lambda: scene.outputs.counts[planned.stage] > before[planned.stage]  # noqa: E731
    if not planned.is_early:
        scene.wait_until(wrote, f"new output of the {planned.stage} stage")
    scene.go_on(planned.delay_s)
    scene.wait_until(lives, f"a process of the {planned.stage} stage")
    supervisor.processes[planned.stage].kill()
    supervisor.processes[planned.stage].wait()
    scene.look()
    return wrote()


def replace_broker(cluster: Cluster, number: int) -> None:
    """Kill a broker as a power cut does, and start it again."""
    cluster.kill(number)
    cluster.start_node(number)


def test_kills_at_random_moments_change_nothing(
    request: pytest.FixtureRequest, cluster: Cluster | None
) -> None:
    """Both stages are killed while the stream goes on, again and again; records are the oracle's.

    Of 25 kills at least 15 come after new output was committed since the kill before.
    """
    chance = random.Random(7)  # noqa: S311 - not a secret
    kills = plan(chance)
    brokers_at = set(chance.sample(range(_KILLS), _BROKER_KILLS))
    after_output = 0
    kafka = cluster.kafka if cluster else request.getfixturevalue("kafka")
    with running(kafka, "80.") as scene:
        for number, planned in enumerate(kills):
            after_output += kill(scene, planned)
            if cluster and number in brokers_at:
                replace_broker(cluster, chance.randint(1, cluster.brokers))
        scene.finish(timeout=180)
    assert _KILLS * 3 // 5 <= after_output
    want, found = true(kafka, scene.places), published(kafka, scene.places)
    assert [] == differences(want, found)
    assert any(record["final"] for record in found.values() if record)
    print(
        f"{_KILLS} kills, {after_output} of them after new output, and {_BROKER_KILLS} of brokers:",
        f"{scene.feed.sent} events, {len(want)} records, no difference",
    )
