"""Lesson 05: what happened in the lesson's groups; its functions are in group_functions.py."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from confluent_kafka import Consumer

from steamlab import groups
from steamlab.checks import Verdict, exercise, ground, not_yet, ok
from steamlab.checks.group_functions import idle, lag, members_for
from steamlab.errors import DeadlineError

if TYPE_CHECKING:
    from steamlab.lesson import Lesson
    from steamlab.members.journal import Entry
    from steamlab.members.member import Member

__all__ = ["idle", "lag", "members_for"]  # 05.8, 05.5, 05.9

_read_again: dict[str, tuple[int, int]] = {}


@exercise("05.1")
def one_shopper(lesson: Lesson, answer: str) -> Verdict:
    """Send the views, and ask the broker which partitions hold records."""
    topic = ground.fresh(lesson, "ada", partitions=6)
    ground.fill(lesson, topic, [{"userId": "user_ada", "n": n} for n in range(60)])
    filled = int((lesson.offsets(topic)["end"] > 0).sum())
    if answer == str(filled):
        return ok(f"60 records with her key are in {filled} partition, and five hold none.")
    if answer == "6":
        return not_yet(
            f"{filled} of six holds all 60. Records with a key are not dealt out in turn: the key "
            "chooses the partition (lesson 01), and there was only one key."
        )
    return not_yet(
        f"{filled} of six holds all 60, and five are idle. Load plays no part in it: the checksum "
        "of the key chooses the partition, however full it is."
    )


@exercise("05.2")
def read_again(lesson: Lesson, answer: str) -> Verdict:
    """Let a group of one read, add records, and let the same group read once more."""
    if lesson.prefix not in _read_again:
        _read_again[lesson.prefix] = _read_twice(lesson)
    first, second = _read_again[lesson.prefix]
    if answer == str(second):
        return ok(f"{first} records the first time, {second} the second.")
    if answer == "105":
        return not_yet(
            f"it got {second}. `earliest` counts only where the group has committed nothing; this "
            "one had, and went on where it had stopped (lesson 03)."
        )
    return not_yet(
        f"it got {second}, the new ones. The broker keeps the group's committed position while "
        "nobody is in the group (lesson 03)."
    )


def _read_twice(lesson: Lesson) -> tuple[int, int]:
    topic, group = ground.fresh(lesson, "again", partitions=3), f"{lesson.prefix}.check.again"
    groups.delete_group(lesson.kafka, group)
    counts = []
    for size in (60, 45):
        ground.fill(lesson, topic, ground.some_orders(size, seed=size))
        counts.append(_read(lesson, group, topic, size))
    return counts[0], counts[1]


def _read(lesson: Lesson, group: str, topic: str, at_least: int) -> int:
    """Read as a group of one until so many records came, and half a second more."""
    count, deadline = 0, time.monotonic() + 30
    config = {"group.id": group, "auto.offset.reset": "earliest"}
    with Consumer(lesson.kafka | config) as consumer:
        consumer.subscribe([topic])
        while count < at_least and time.monotonic() < deadline:
            count += len(consumer.consume(1000, timeout=0.1))
        return count + len(consumer.consume(1000, timeout=0.5))


@exercise("05.3")
def second_member(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against the broker's word on the group `trending`."""
    has = _sizes(lesson, "trending")
    if set(has) != {"A", "B"}:
        return not_yet(f"the group's members are {sorted(has)}. Run the cell above with A and B.")
    if answer == str(has["A"]):
        return ok(f"A holds {has['A']} of the six partitions, and B holds {has['B']}.")
    if answer == "6":
        return not_yet(
            f"A holds {has['A']} and B {has['B']}. Two members of a group never read the same "
            "partition: what B gets, A gives up."
        )
    return not_yet(
        f"A holds {has['A']} and B {has['B']}. The partitions are dealt out evenly by number, "
        "whoever came first."
    )


def _sizes(lesson: Lesson, name: str) -> dict[str, int]:
    members = groups.look_at(lesson.kafka, f"{lesson.prefix}.{name}").members
    return {member: len(places) for member, places in sorted(members.items())}


@exercise("05.4")
def takeover(lesson: Lesson, answer: str) -> Verdict:
    """Wait until A has all six, and look up in the journals how long nobody had B's three."""
    a, b = _member(lesson, "A"), _member(lesson, "B")
    killed = next((entry["t"] for entry in b.entries() if entry["what"] == "killed"), None)
    if killed is None:
        return not_yet("B was not killed. Run the cell above.")
    waited = _all_six(a, since=killed) - killed
    if waited < 1:
        return not_yet("B was missed sooner than its session timeout allows. Run the cell again.")
    if answer == "when B's session has timed out":
        return ok(
            "for a while the broker went on listing B, with three partitions that nobody read. "
            "Then B's session timed out, and A got them."
        )
    if answer == "at once":
        return not_yet(
            "nobody told the broker: a killed process says no goodbye. It went on listing B with "
            "three partitions until B's session timed out for want of heartbeats. Then A got them."
        )
    return not_yet(
        "A has all six by now, and B is still dead. A member without heartbeats is put out of the "
        "group when its session times out, and the others share what it had."
    )


def _all_six(a: Member, *, since: float) -> float:
    """Return when A was given all six partitions."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for entry in a.entries():
            if entry["t"] > since and entry["what"] == "assigned" and len(entry["partitions"]) == 6:
                return float(entry["t"])
        time.sleep(0.05)
    return since


def _member(lesson: Lesson, name: str) -> Member:
    return next(each for each in reversed(lesson.members) if each.name == name)


@exercise("05.6")
def seventh(lesson: Lesson, answer: str) -> Verdict:
    """Ask the broker what each of the seven members has."""
    has = _sizes(lesson, "trending")
    if len(has) != 7:
        return not_yet(f"the group has {len(has)} members. Run the cell above: seven are wanted.")
    without = [name for name, count in has.items() if not count]
    if answer == "it holds no partition, and waits":
        return ok(f"six members hold one partition each, and {', '.join(without)} holds none.")
    if answer.startswith("it reads"):
        return not_yet(
            f"{', '.join(without)} holds nothing. A partition has one reader in a group, so six "
            "partitions feed six members: one more is a spare, not a help."
        )
    return not_yet(
        f"all seven are in the group, says the broker; {', '.join(without)} holds nothing and "
        "waits. Kafka refuses nobody for want of partitions."
    )


@exercise("05.7")
def second_group(lesson: Lesson, answer: str) -> Verdict:
    """Hold the prediction against what both groups have committed."""
    topic, deadline = f"{lesson.prefix}.store.game-views", time.monotonic() + 20
    names = [f"{lesson.prefix}.{name}" for name in ("trending", "audit")]
    behind = [1, 1]
    while any(behind) and time.monotonic() < deadline:
        behind = [int(groups.lag(lesson.kafka, name, topic)["lag"].sum()) for name in names]
    if any(behind):
        return not_yet(f"`trending` and `audit` are {behind} records behind. Run the cell above.")
    stored = ground.records(lesson, topic)
    if answer.startswith("every record"):
        return ok(f"both groups have committed the end of each partition: {stored:,} records each.")
    if answer == "half of the records":
        return not_yet(
            f"two groups share nothing. The broker has {stored:,} records read by `trending` and "
            f"the same {stored:,} by `audit`: only members of *one* group share the partitions."
        )
    return not_yet(
        f"`audit` got all {stored:,}, those that `trending` had read long before too. Each group "
        "has committed offsets of its own, and reading removes nothing."
    )


@exercise("05.10")
def too_slow(lesson: Lesson, answer: str) -> Verdict:
    """Count in the members' notes how often each order was packed."""
    slow, fast = _packed(lesson, "Slow"), _packed(lesson, "Fast")
    twice, lost = len(slow & fast), 20 - len(slow | fast)
    refused = bool(_noted(lesson, "Slow", "refused", 1))
    if twice != 10 or lost or not refused:
        return not_yet(f"{twice} orders were packed twice, {lost} never. Run the cell above again.")
    if answer == "Slow's ten orders are packed twice":
        return ok(
            "Fast packed all 20, and Slow ten of them as well. Slow's commit was refused: it was "
            "no member any more."
        )
    if answer.startswith("nothing"):
        return not_yet(
            "ten orders were packed twice. Heartbeats say only that the process lives. Slow did "
            "not *poll* for longer than `max.poll.interval.ms`, so it was out of the group, and "
            "Fast got its partition and its ten orders."
        )
    return not_yet(
        "all 20 were packed, ten of them twice. Slow had not committed them yet, so whoever got "
        "its partition began with them: nothing was lost."
    )


def _packed(lesson: Lesson, name: str) -> set[str]:
    noted = _noted(lesson, name, "packed", 10 if name == "Slow" else 20)
    return {entry["order"] for entry in noted}


def _noted(lesson: Lesson, name: str, what: str, count: int) -> list[Entry]:
    """Return a member's notes of a kind, waiting for so many of them, but not for ever."""
    member = _member(lesson, name)
    with suppress(DeadlineError):
        member.wait_for(what, count, timeout=20)
    return [entry for entry in member.entries() if entry["what"] == what]
