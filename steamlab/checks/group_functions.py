"""Lesson 05: functions about groups: who is idle, how far behind, how many members are enough."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition

from steamlab import groups
from steamlab.checks import Verdict, call, exercise, ground, not_yet, ok

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__ = ["idle", "lag", "members_for"]

# By partition: records, where the log begins, what the group committed (None: nothing).
_LAGS: tuple[dict[int, tuple[int, int, int | None]], ...] = (
    {0: (30, 0, 12), 1: (25, 0, None), 2: (40, 22, 9), 3: (14, 0, 14)},
    {0: (9, 0, 0), 1: (33, 5, None), 2: (12, 4, 7)},
)


_filled: dict[tuple[str, int], str] = {}


@exercise("05.5")
def lag(lesson: Lesson, answer: Callable[..., dict[int, int]]) -> Verdict:
    """Hold the lag against records that were counted when they were put there."""
    for number, plan in enumerate(_LAGS):
        topic, group = _put(lesson, plan, number)
        given = call(answer, lesson.kafka, group, topic, len(plan))
        if problem := _why_not_lag(given, plan):
            return not_yet(problem)
    return ok("two groups, partitions never committed and deleted beginnings among them.")


def _put(
    lesson: Lesson, plan: Mapping[int, tuple[int, int, int | None]], number: int
) -> tuple[str, str]:
    """Return a topic, filled once a process, and a group that committed in it just now."""
    place = (lesson.prefix, number)
    if place not in _filled:
        _filled[place] = _fill(lesson, plan, number)
    topic, group = _filled[place], f"{lesson.prefix}.check.lag"
    groups.delete_group(lesson.kafka, group)
    done = [TopicPartition(topic, p, at) for p, (_, _, at) in plan.items() if at is not None]
    with Consumer(lesson.kafka | {"group.id": group}) as consumer:
        consumer.commit(offsets=done, asynchronous=False)
    return topic, group


def _fill(lesson: Lesson, plan: Mapping[int, tuple[int, int, int | None]], number: int) -> str:
    topic = ground.fresh(lesson, f"lag-{number}", partitions=len(plan))
    with Producer(lesson.kafka) as producer:
        for partition, (records, _, _) in plan.items():
            for n in range(records):
                producer.produce(topic, value=str(n), partition=partition)
    for partition, (_, begin, _) in plan.items():
        if begin:
            ground.delete_until(lesson, topic, partition, begin)
    return topic


def _why_not_lag(given: object, plan: Mapping[int, tuple[int, int, int | None]]) -> str:
    if not isinstance(given, dict) or set(given) != set(plan):
        return f"a dictionary for the partitions {list(plan)} was expected, and `{given!r}` came."
    for partition, (end, begin, committed) in plan.items():
        wanted, got = end - max(begin, committed or 0), given[partition]
        if isinstance(got, bool) or not isinstance(got, (int, np.integer)):
            return f"a lag is a whole number of records, and `{got!r}` came."
        if got != wanted:
            where = f"partition {partition} has {wanted} records still to read, and you said {got}"
            return f"{where}. {_lag_hint(int(got), end, begin, committed)}"
    return ""


def _lag_hint(got: int, end: int, begin: int, committed: int | None) -> str:
    if committed is None and got > end:
        return "A negative committed offset is a sign, not a place: here the group never committed."
    if committed is None and got == 0:
        return "The group never committed there: it has read nothing, and all of it is waiting."
    if committed is not None and begin > committed and got == end - committed:
        return (
            f"The group committed {committed}, and the log now begins at {begin}: what lay between "
            "is deleted, and nobody can read it any more."
        )
    if got == end and begin:
        return f"The log begins at {begin}, not at 0: what was before is deleted."
    if got == end - begin:
        return f"The group committed {committed}: what lies before that, it has read."
    return f"It ends at {end}, begins at {begin}, and the group committed {committed}."


_NAMES = ["tom", "ann", "eve", "kim", "bob", "lea", "max", "ida"]
_GROUPS: tuple[tuple[dict[str, int], list[str], str], ...] = (
    ({"carts": 4, "wishes": 4}, _NAMES, "range"),
    ({"carts": 4, "wishes": 4}, _NAMES, "roundrobin"),
    ({"refunds": 1, "carts": 3}, _NAMES[:5], "range"),
    ({"refunds": 1, "carts": 2}, _NAMES[1:6], "roundrobin"),
    ({"carts": 3}, _NAMES[:2], "range"),
)


@exercise("05.8")
def idle(lesson: Lesson, answer: Callable[..., list[str]]) -> Verdict:
    """Start groups that the notebook has not shown, and compare with what the broker says."""
    for partitions, members, assignor in _GROUPS:
        given = call(answer, dict(partitions), list(members), assignor)
        if not isinstance(given, (list, tuple, set)) or not set(given) <= set(members):
            return not_yet(f"a list of some of {members} was expected, and `{given!r}` came.")
        says = ground.dealt(lesson, partitions, members, assignor)
        if sorted(given) != sorted(name for name in members if not says[name]):
            return not_yet(_why_not_idle(sorted(given), partitions, says, assignor))
    return ok(
        "five groups you had not seen. Of eight members on two topics of four partitions, range "
        "left four with nothing, and roundrobin none."
    )


def _why_not_idle(
    given: list[str],
    partitions: Mapping[str, int],
    says: Mapping[str, Sequence[Any]],
    assignor: str,
) -> str:
    wanted = sorted(name for name, has in says.items() if not has)
    sizes = " and ".join(f"{name} ({count})" for name, count in partitions.items())
    said = (
        f"with {assignor}, {len(says)} members on {sizes}: your answer was {given}, and the broker "
        f"says {wanted or 'nobody'}"
    )
    if len(given) == len(wanted):
        return f"{said}. The number is right: who gets a partition goes by name, not by who joined."
    if assignor == "range" and len(given) == max(0, len(says) - sum(partitions.values())):
        return (
            f"{said}. It is not the sum of the partitions that counts: range deals out each topic "
            "by itself, and begins with the same members every time. Look at one topic at a time."
        )
    if assignor == "roundrobin" and len(given) == max(0, len(says) - max(partitions.values())):
        return f"{said}. That is range's way. Roundrobin puts all partitions in one row."
    return f"{said}."


# Records a second by partition, and what one member manages.
_RATES: tuple[tuple[list[int], int], ...] = (
    ([100] * 6, 200),
    ([100] * 6, 150),
    ([50] * 4, 40),
    ([10, 10, 900, 10, 10, 10], 500),
    ([20, 300, 300, 20, 20, 20], 350),
    ([300, 20, 20, 20, 20, 300], 340),
    ([80, 80, 80, 80, 80], 400),
)


@exercise("05.9")
def members_for(lesson: Lesson, answer: Callable[[list[int], int], int]) -> Verdict:
    """Hold the function against unseen rates; ask the broker whether range deals as we think."""
    for rates, each in _RATES:
        given = call(answer, list(rates), each)
        if isinstance(given, bool) or not isinstance(given, (int, np.integer)):
            return not_yet(f"a number of members was expected, and `{given!r}` came.")
        if given != _fewest(rates, each):
            return not_yet(_why_not_fewest(int(given), rates, each))
    says = ground.dealt(lesson, {"views": 6}, _NAMES[:4], "range")
    dealt = [len(says[name]) for name in sorted(says)]
    if dealt != [len(part) for part in _parts([0] * 6, 4)]:
        return not_yet(f"the broker dealt six partitions to four members as {dealt}: tell us.")
    return ok(f"seven loads. The check's own group of four had {dealt} of six partitions.")


def _parts(rates: Sequence[int], members: int) -> list[Sequence[int]]:
    """Return what range gives each member: neighbours, one more for the first ones."""
    size, more = divmod(len(rates), members)
    starts = [n * size + min(n, more) for n in range(members + 1)]
    return [rates[begin:end] for begin, end in itertools.pairwise(starts)]


def _most(rates: Sequence[int], members: int) -> int:
    return max(sum(part) for part in _parts(rates, members))


def _fewest(rates: Sequence[int], each: int) -> int:
    return next((n for n in range(1, len(rates) + 1) if _most(rates, n) <= each), 0)


def _why_not_fewest(given: int, rates: Sequence[int], each: int) -> str:
    said = f"for {rates} records a second and {each} a member, you said {given}"
    if given > len(rates):
        return (
            f"{said}. That is more members than partitions: {given - len(rates)} of them hold "
            "nothing, and the others are no faster for it."
        )
    if given < 0:
        return f"{said}. Nobody has fewer than no members."
    if given == 0:
        return f"{said}, and {_fewest(rates, each)} members keep up: try them one after the other."
    if (most := _most(rates, given)) <= each:
        return f"{said}, and {_fewest(rates, each)} are enough."
    parts = [list(part) for part in _parts(rates, given)]
    even = math.ceil(sum(rates) / each) == given
    return (
        f"{said}. Range deals them out as {parts}, and one member has {most}. "
        f"{'The sum fits, but partitions' if even else 'Partitions'} are dealt out by number, not "
        "by load, and none is cut in two."
    )
