"""The processor says what the batch oracle says, whatever order, batches and partitions."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steamlab.processor.first_stage import Message
from tests.processing import histories, oracle, plain, run

CALM = settings(
    max_examples=25, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip


def shuffled(messages: Sequence[Message], seed: int) -> list[Message]:
    """Put messages into another order, some of them twice."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    mixed = [*messages, *chance.sample(list(messages), len(messages) // 3)]
    chance.shuffle(mixed)
    return mixed


@CALM
@given(histories(), st.integers(0, 999), st.integers(1, 9), st.integers(1, 3), st.integers(-1, 4))
def test_any_order_batches_partitions_and_restarts(
    messages: list[Message], seed: int, batch: int, partitions: int, restart_at: int
) -> None:
    """Shuffled, doubled, cut anyhow, in 1 to 3 partitions, restarted: the oracle's values."""
    mixed = shuffled(messages, seed)
    seen = plain(run(mixed, batch=batch, partitions=partitions, restart_at=restart_at))
    assert oracle(messages) == seen
