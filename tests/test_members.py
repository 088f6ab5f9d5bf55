"""Members of groups: real processes on a real broker, killed, frozen, told to leave, orphaned."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from confluent_kafka import Consumer
from toy_members import follow, wait_only

from steamlab.errors import DeadlineError, LessonError
from steamlab.frames import send
from steamlab.group_board import GroupBoard
from steamlab.groups import delete_group, lag, look_at
from steamlab.members.member import Member
from steamlab.members.orphans import end_orphans

Start = Callable[..., Member]


@pytest.fixture
def group(kafka: dict[str, Any]) -> str:
    """A name that no other test uses, as `lesson.group` gives one: the coordinator is there."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    delete_group(kafka, name)
    return name


@pytest.fixture
def start(kafka: dict[str, Any]) -> Iterator[Start]:
    """Starts members, and ends them at the end of the test."""
    started: list[Member] = []

    def start(name: str, work: Callable[..., object], group: str, *arguments: Any) -> Member:
        started.append(Member(kafka, name, work, group, *arguments))
        return started[-1].wait_for("began")

    yield start
    for member in started:
        member.kill()


def ended(pid: int, timeout: float = 20) -> bool:
    """Wait for a process's end."""
    deadline = time.monotonic() + timeout
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.broker
def test_two_members_share_and_a_killed_one_is_replaced(
    kafka: dict[str, Any], topic: str, group: str, start: Start
) -> None:
    """Both are told what they have; SIGKILL leaves no word, and the other one takes over all."""
    one, others = start("A", follow, group, topic), list[Member]()
    board = GroupBoard(kafka, group, topic, lambda: [one, *others])
    assert {"A": 3} == board.settle().sizes
    others.append(start("B", follow, group, topic))
    assert {"A", "B"} == set(board.settle().sizes)
    assert 3 == sum(board.sizes.values())
    others[0].kill()
    assert "killed" == others[0].state
    assert {"A": 3} == board.settle().sizes
    assert "left" not in set(others[0].log["what"])
    assert ["began", "killed"] == [
        what for what in board.events.query("member == 'B'")["what"] if what in ("began", "killed")
    ]
    one.leave()
    assert "left" == one.state
    assert {} == board.settle().sizes
    deadline = time.monotonic() + 20
    while look_at(kafka, group).state != "dead" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert {} == board.settle(timeout=5).sizes  # also when Kafka has forgotten the group
    board.stop()


@pytest.mark.broker
def test_a_frozen_member_is_missed_and_told_so_when_it_comes_back(
    kafka: dict[str, Any], topic: str, group: str, start: Start
) -> None:
    """The group goes on without it; after SIGCONT it hears that its partitions are lost."""
    one, two = start("A", follow, group, topic), start("B", follow, group, topic)
    board = GroupBoard(kafka, group, topic, lambda: [one, two])
    board.settle(["A", "B"])
    two.freeze()
    assert two.is_frozen
    assert {"A": 3} == board.settle().sizes
    two.thaw().wait_for("lost")
    assert {"A", "B"} == set(board.settle().sizes)
    begin = float(board.events.query("what == 'frozen'")["second"].iloc[0])
    pauses = board.unread(begin)
    assert pauses["longest"].max() > 1  # some partition waited for the session's end
    board.stop()


@pytest.mark.broker
def test_lag_counts_from_what_was_committed(
    kafka: dict[str, Any], topic: str, group: str, start: Start
) -> None:
    """Before a group commits, everything is behind; a member that read and left leaves no lag."""
    send(kafka, topic, [{"userId": f"user_{n}"} for n in range(30)])
    before = lag(kafka, group, topic)
    assert 30 == before["lag"].sum()
    assert before["committed"].isna().all()
    member = start("A", follow, group, topic).wait_for("assigned")
    deadline = time.monotonic() + 20
    while lag(kafka, group, topic)["lag"].sum() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert 0 == lag(kafka, group, topic)["lag"].sum()
    member.leave()
    assert ("empty", {}) == (look_at(kafka, group).state, look_at(kafka, group).members)
    delete_group(kafka, group)
    assert "dead" == look_at(kafka, group).state


@pytest.mark.broker
def test_a_group_with_a_dead_member_is_deleted_once_kafka_misses_it(
    kafka: dict[str, Any], topic: str, group: str, start: Start
) -> None:
    """Deleting waits for the session's end of a killed member."""
    start("A", follow, group, topic).wait_for("assigned").kill()
    delete_group(kafka, group)
    assert "dead" == look_at(kafka, group).state


@pytest.mark.broker
def test_a_function_that_fails_says_so(group: str, start: Start) -> None:
    """The error of the member's function reaches the lesson, in words."""

    def fails(me: Any, group: str) -> None:
        raise ValueError("no such game")

    member = start("A", fails, group)
    with pytest.raises(LessonError, match="ValueError: no such game"):
        member.wait_for("assigned")
    assert "failed" == member.state


@pytest.mark.broker
def test_what_cannot_travel_is_refused(kafka: dict[str, Any], group: str) -> None:
    """A function that holds on to a client cannot go to another process, and this says why."""
    with Consumer(kafka | {"group.id": group}) as consumer:

        def greedy(me: Any, group: str) -> None:
            consumer.poll(0)

        with pytest.raises(LessonError, match="'greedy' cannot go to a process of its own"):
            Member(kafka, "A", greedy, group)
    with pytest.raises(LessonError, match="cannot be a member's name"):
        Member(kafka, "../A", follow, group)


@pytest.mark.broker
def test_waiting_has_a_deadline(group: str, start: Start) -> None:
    """What never comes is reported with what was seen."""
    member = start("A", wait_only, group)
    with pytest.raises(DeadlineError, match="wrote 'assigned' 0 of 1 times"):
        member.wait_for("assigned", timeout=0.1)


LONELY = """
    import sys, time
    sys.path[:0] = {path!r}
    from toy_members import wait_only
    from steamlab.client import client_config
    from steamlab.members.member import Member
    member = Member(client_config({bootstrap!r}), "A", wait_only, "lonely").wait_for("began")
    if {frozen!r}:
        member.freeze()
    print(int(member.log["pid"].dropna().iloc[0]), flush=True)
    time.sleep(60)
"""


@pytest.mark.broker
@pytest.mark.parametrize("frozen", [False, True])
def test_a_dead_kernel_leaves_no_member(kafka: dict[str, Any], frozen: bool) -> None:
    """A member ends with the process that started it; a frozen one is found by `down`."""
    code = textwrap.dedent(LONELY).format(
        path=[os.path.dirname(__file__)], bootstrap=kafka["bootstrap.servers"], frozen=frozen
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as kernel:
        assert kernel.stdout is not None
        pid = int(kernel.stdout.readline())
        end_orphans()
        assert psutil.pid_exists(pid), "its lesson is still there"
        kernel.kill()
    if frozen:
        assert psutil.pid_exists(pid)
        assert 1 <= end_orphans()
    assert ended(pid)
