"""Lesson 06: rebalances, callbacks, static membership."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from confluent_kafka import Consumer, KafkaException, Producer

from steamlab import groups
from steamlab.checks import Verdict, call, exercise, ground, not_yet, ok
from steamlab.checks.callbacks import why_not_callbacks
from steamlab.checks.crew import Crew, try_callbacks
from steamlab.checks.race import journals_of, let_go, wait_after_kill, was_run
from steamlab.checks.twins import Twins, restart_each
from steamlab.checks.unread import timelines, why_not_unread

if TYPE_CHECKING:
    from steamlab.lesson import Lesson

__all__: list[str] = []

_NOT_RUN = "the race has not been run to its end. Run the cells above first."


@exercise("06.1")
def committed_position(lesson: Lesson, answer: str) -> Verdict:
    """Ask the broker what the lesson's group has committed."""
    topic = f"{lesson.prefix}.store.purchases"
    found = groups.lag(lesson.kafka, f"{lesson.prefix}.reader", topic)["committed"]
    if found.isna().any() or len(found) != 1:
        return not_yet("the group `reader` has not committed anything. Run the cell above first.")
    noted = int(found[0])
    if answer == str(noted):
        return ok(f"the broker has {noted} written down: one past the last record that was read.")
    if answer == str(noted - 1):
        return not_yet(
            f"the broker has {noted} written down. The last record read has offset {noted - 1}, "
            "and a position is one past it: where to go on."
        )
    return not_yet(
        f"the broker has {noted} written down. What is committed is how far the group has *read*, "
        "not how far the log reaches."
    )


@exercise("06.2")
def flush_after_refusal(lesson: Lesson, answer: str) -> Verdict:
    """Do it: three records, the middle one too large for the topic."""
    topic = ground.fresh(lesson, "small", partitions=1, config={"max.message.bytes": "1000"})
    with Producer(lesson.kafka | {"batch.num.messages": 1}) as producer:
        for size in (10, 5000, 10):
            producer.produce(topic, value=b"x" * size)
        waiting = producer.flush(10)
    stored = ground.records(lesson, topic)
    if answer == str(waiting):
        return ok(f"flush said {waiting}: nothing waits. {stored} of three records are stored.")
    if answer == "an exception":
        return not_yet(
            f"no exception came: flush said {waiting}, and {stored} of three records are stored. "
            "Only the delivery report knows of the refused one."
        )
    return not_yet(
        f"flush said {waiting}, and {stored} of three records are stored. It counts what still "
        "waits, and the refused record waits no longer: its fate is known."
    )


@exercise("06.3")
def eager_stops(lesson: Lesson, answer: str) -> Verdict:
    """Count in A's journal what it let go of while the group took over C's partitions."""
    journals = journals_of(lesson, "eager")
    if not was_run(journals):
        return not_yet(_NOT_RUN)
    had, gone = let_go(journals)
    if not had or gone != had:
        return not_yet(f"A let go of {gone} of {had}: another rebalance came between. {_NOT_RUN}")
    if answer == "both":
        return ok(f"A had {had} partitions and let go of {gone}; then all six were dealt out anew.")
    return not_yet(
        f"A had {had} partitions when C died, and let go of {gone}. Eager means: whatever changes, "
        "everybody lets go of everything first, also of what comes straight back."
    )


@exercise("06.4")
def who_waits(lesson: Lesson, answer: str) -> Verdict:
    """Measure in each group how long C's partitions were read by nobody after its death."""
    waits = {}
    for name in ("eager", "cooperative", "consumer"):
        journals = journals_of(lesson, name)
        if not was_run(journals):
            return not_yet(_NOT_RUN)
        waits[name] = wait_after_kill(journals)
    if min(waits.values()) < 2:
        return not_yet(f"the times do not tell: {_spelled(waits)}. Run the race again.")
    if answer.startswith("the session timeout"):
        return ok(
            "in all three groups C's partitions waited for the session timeout, three seconds."
        )
    if "consumer" in answer:
        return not_yet(
            f"C's partitions waited {_spelled(waits)}. Newer is not faster here: a dead member "
            "says nothing, and each broker waits for the session timeout, which is the same three "
            "seconds in all three groups."
        )
    return not_yet(
        f"C's partitions waited {_spelled(waits)}. To stop everything takes eager a moment; the "
        "seconds before it are the session timeout, the same in all three groups."
    )


@exercise("06.5")
def unread_seconds(
    lesson: Lesson, answer: Callable[[pd.DataFrame], Mapping[int, float]]
) -> Verdict:
    """Hold the function against twelve timelines, worked in tenths of a second."""
    for number, frame in enumerate(timelines(), start=1):
        given = call(answer, frame.copy())
        if problem := why_not_unread(given, frame):
            return not_yet(f"timeline {number} of 12: {problem}")
    return ok("twelve timelines: gaps, overlaps, late beginnings, early ends.")


@exercise("06.6")
def commit_decides(lesson: Lesson, answer: str) -> Verdict:
    """Do it with ninety orders: sixty read, forty booked, twenty committed, and a join."""
    topic = ground.fresh(lesson, "through", partitions=1)
    ground.fill(lesson, topic, ground.some_orders(90))
    booked = Twins(lesson, topic).book_through_a_join(read=60, booked=40, commit=20)
    missing, again = 90 - len(set(booked)), len(booked) - len(set(booked))
    told = f"of ninety orders {missing} are missing and {again} were booked twice"
    if missing or not again:
        return not_yet(f"{told}, which tells nothing: the computer is busy. Run the check again.")
    if answer.endswith("twice"):
        return ok(f"{told}: the next reader began at the last commit, and that lay behind.")
    if answer.endswith("lost"):
        return not_yet(
            f"{told}. A rebalance loses nothing by itself: the next reader begins where the last "
            "commit says. That was *behind* the work this time, so it did some of it again."
        )
    return not_yet(
        f"{told}. Nobody tells the next reader what was booked; it knows the last commit only, "
        "and twenty of the booked ones lay after it."
    )


@exercise("06.7")
def callbacks(lesson: Lesson, answer: Callable[[dict[Any, int]], Any]) -> Verdict:
    """Call the callbacks on a member of a real group; then join, leave, and kill one."""
    topic = ground.fresh(lesson, "hands", partitions=2)
    with Producer(lesson.kafka) as producer:
        for number in range(40):
            producer.produce(topic, value=str(number), partition=number % 2)
    if problem := why_not_callbacks(lesson, topic, answer):
        return not_yet(problem)
    result = try_callbacks(lesson, ground.fresh(lesson, "crew", partitions=4), answer)
    return _judge_crew(result)


def _judge_crew(crew: Crew) -> Verdict:
    if crew.error:
        return not_yet(f"a callback raised `{crew.error}` in the middle of a rebalance.")
    if crew.before:
        return not_yet(
            f"{crew.before} orders were booked twice before anybody was killed. Whoever gets a "
            "partition begins at the group's last commit: commit in `on_revoke` what is booked."
        )
    if crew.missing:
        return not_yet(
            f"{crew.missing} of {crew.orders} orders were never booked. A commit was ahead of the "
            "work: commit what is in `done`, not what has been read."
        )
    if not crew.after:
        return not_yet("the kill came to nothing: the computer is busy. Run the check again.")
    return ok(
        f"{crew.orders} orders through two joins and a leave, none missing, none twice. After the "
        f"kill {crew.after} came again: what the dead one had booked since its last commit."
    )


@exercise("06.8")
def twins(lesson: Lesson, answer: str) -> Verdict:
    """Start an old and a new member with one id in the classic protocol, and see who stops."""
    topic = ground.fresh(lesson, "twins", partitions=2)
    stopped = Twins(lesson, topic).who_stops()
    if stopped is None:
        return not_yet("neither was stopped in time; the computer is busy. Run the check again.")
    if answer.startswith(f"the {stopped}"):
        return ok(f"the {stopped} one was fenced, with a fatal error, as soon as the other joined.")
    if answer.startswith("both"):
        return not_yet(
            f"the {stopped} one was stopped. An id stands for one member: two of one name cannot "
            "both be it."
        )
    return not_yet(
        f"the {stopped} one was stopped. The classic protocol takes the newcomer for the member "
        "itself, come back from a restart, and fences whoever still uses its id."
    )


@exercise("06.9")
def deployment(lesson: Lesson, answer: Callable[[str, int], Mapping[str, Any]]) -> Verdict:
    """Look at the settings for several names and times; then roll a group of two."""
    for seconds in (4, 30, 100):
        settings = {name: call(answer, name, seconds) for name in ("red", "green")}
        settings["red again"] = call(answer, "red", seconds)
        if problem := _why_not_deployment(lesson, settings, seconds):
            return not_yet(problem)
    told = restart_each(
        lesson,
        ground.fresh(lesson, "rolled", partitions=4),
        {name: dict(call(answer, name, 4)) for name in ("red", "green")},
    )
    if told is None:
        return not_yet("the group of two did not come together with these settings.")
    if told:
        return not_yet(
            f"while one member was restarted, the one that stayed was told of {told} changes. "
            "None was wanted."
        )
    return ok("both members were restarted, and the one that stayed heard nothing, both times.")


def _why_not_deployment(lesson: Lesson, settings: Mapping[str, Any], seconds: int) -> str:
    for name, each in settings.items():
        if not isinstance(each, Mapping):
            return f"a dictionary of settings was expected, and `{type(each).__name__}` came."
        if each.get("group.protocol", "classic") != "classic":
            return "the classic protocol was asked for; in `consumer` the broker keeps the timeout."
        if not each.get("group.instance.id"):
            return (
                f"the member {name} has no `group.instance.id`. Without one it says goodbye when "
                "it closes, and the others share out its partitions at once."
            )
    ids = [each["group.instance.id"] for each in settings.values()]
    if ids[0] == ids[1]:
        return f"red and green have the same id, {ids[0]!r}: one of them would be fenced."
    if ids[0] != ids[2]:
        return f"red came back from its restart as {ids[2]!r}, and was {ids[0]!r} before."
    return _why_not_timeout(lesson, settings["red"], seconds)


def _why_not_timeout(lesson: Lesson, settings: Mapping[str, Any], seconds: int) -> str:
    try:
        with Consumer(lesson.kafka | {"group.id": f"{lesson.prefix}.check"} | dict(settings)):
            session_ms = float(settings.get("session.timeout.ms", 45_000))
    except (KafkaException, TypeError, ValueError) as error:
        said = error.args[0].str() if isinstance(error, KafkaException) else error
        return f"the client refuses the settings for {seconds} s: {said}."
    if session_ms <= seconds * 1000:
        return (
            f"a restart may take {seconds} s, and the broker misses the member after "
            f"{session_ms / 1000:g} s (`session.timeout.ms`; 45 s if you say nothing). "
            "Then it shares out the partitions."
        )
    if session_ms > 20 * seconds * 1000:
        return (
            f"for a restart of {seconds} s you wait {session_ms / 1000:g} s. If the member really "
            "dies, nobody reads its partitions for all that time: stay below twenty times."
        )
    return ""


def _spelled(waits: Mapping[str, float]) -> str:
    return ", ".join(f"{seconds:.1f} s in {name}" for name, seconds in waits.items())
