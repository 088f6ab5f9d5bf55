"""What the verbs of the command line print; each imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steamlab.broker import Kafka, Status
    from steamlab.progress import Progress

__all__ = ["kafka_line", "print_progress", "print_topics", "status_lines", "topic_rows"]


def kafka_line(kafka: Kafka) -> str:
    """Return where Kafka answers, how many brokers it has, and whose it is."""
    brokers = "1 broker" if kafka.brokers == 1 else f"{kafka.brokers} brokers"
    return f"Kafka answers at {kafka.bootstrap} ({brokers}, {kafka.origin})."


def status_lines(found: Status) -> Iterator[str]:
    """Yield what `steamlab status` prints."""
    if found.kafka:
        yield kafka_line(found.kafka)
    else:
        yield found.problem or "Kafka does not run. `steamlab up` starts it."
    for node in found.nodes:
        state = f"pid {node.pid}, {node.resident_mb} MB, since {node.since}"
        yield f"  node {node.node}, port {node.port}: {state if node.pid else 'down'}"
    if found.folder:
        yield f"  data: {found.folder}"
    if found.log:
        yield f"  log: {found.log}"
    for lone in found.lone:
        whose = "nobody's: `steamlab down` ends it" if lone.is_orphan else f"of pid {lone.owner}"
        yield f"A cluster of its own, {lone.nodes} nodes, {whose}."


def topic_rows(kafka: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the topics by name: topic, partitions, records."""
    from confluent_kafka.admin import AdminClient

    from steamlab.errors import TopicError
    from steamlab.topics import offsets

    names = [name for name in AdminClient(kafka).list_topics(timeout=10).topics]
    rows = []
    for name in sorted(name for name in names if not name.startswith("__")):
        try:
            found = offsets(kafka, name)
        except TopicError:  # deleted since the names were read
            continue
        records = int((found["end"] - found["begin"]).sum())
        rows.append({"topic": name, "partitions": len(found), "records": records})
    return rows


def print_topics(rows: list[dict[str, Any]]) -> None:
    """Print the rows of `topic_rows` as a table."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("topic", box=None)
    for name in ("partitions", "records"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(escape(row["topic"]), str(row["partitions"]), f"{row['records']:,}")
    Console().print(table if rows else "There are no topics yet: `steamlab topics --create`.")


def print_progress(found: Progress) -> None:
    """Print how far each lesson is, as a table."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("lesson", "ok", "not yet", "todo", box=None)
    for lesson in found.lessons:
        left: dict[str, list[str]] = {"not yet": [], "todo": []}
        for exercise in lesson.exercises:
            if not exercise.is_ok:
                left[exercise.state].append(exercise.number)
        table.add_row(
            escape(f"{lesson.number} {lesson.title}"),
            f"{lesson.ok} of {len(lesson.exercises)}",
            *(" ".join(numbers) for numbers in left.values()),
        )
    Console().print(table)
    print(f"{found.ok} of the course's {found.exercises} exercises are ok.")
    if found.problem:
        print(found.problem)
