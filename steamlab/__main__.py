"""The verbs of the command line: `steamlab up`, or `python -m steamlab up`."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from steamlab.errors import LabError

if TYPE_CHECKING:
    from steamlab.broker import Kafka, Status
    from steamlab.progress import Progress

# Every verb imports what it needs when it runs: `steamlab --help` answers at once.

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Learn Apache Kafka by running a game store on a real Kafka, on this computer.",
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for another program.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same events.")]


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the trace of an error.")] = False,
) -> None:
    """Learn Apache Kafka by running a game store on a real Kafka, on this computer."""


@app.command()
def lab(
    fresh: Annotated[
        list[str] | None,
        typer.Option(help="Replace your copy of this notebook, such as 01; the old one is kept."),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    port: Annotated[int, typer.Option(help="JupyterLab's first choice of a port.")] = 8888,
) -> None:
    """Start Kafka, open the course in JupyterLab; Ctrl-C ends JupyterLab."""
    from steamlab.launch.lab import lab

    lab(fresh=fresh or (), browser=browser, port=port)


@app.command()
def up(
    brokers: Annotated[
        int, typer.Option(min=1, max=3, help="How many brokers at least: 1 or 3.")
    ] = 1,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for Kafka.")] = 120,
) -> None:
    """Start Kafka, or find the one that runs."""
    from steamlab.broker import up

    print(_kafka_line(up(brokers=brokers, timeout=timeout)))


@app.command()
def down() -> None:
    """End the Kafka that `steamlab up` or `steamlab lab` started; its topics stay."""
    from steamlab.broker import down

    ended = down()
    brokers = "broker has" if ended == 1 else "brokers have"
    print(f"{ended} {brokers} ended." if ended else "Nothing of ours was running.")


@app.command()
def status(json: Json = False) -> None:
    """Tell what runs, and where: Kafka, its nodes, and clusters of single lessons."""
    from steamlab.broker import status

    found = status()
    print(json_text.dumps(found.as_dict()) if json else "\n".join(_status_lines(found)))


@app.command()
def doctor(json: Json = False) -> None:
    """Look at everything that the lab needs; name the repair of what is wrong."""
    from steamlab.doctor import doctor

    report = doctor()
    print(report.to_json() if json else report)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def reset(
    brokers: Annotated[
        int | None, typer.Option(help="How many brokers; as many as before, unless told.")
    ] = None,
) -> None:
    """End Kafka, delete its topics and data, start it empty."""
    from steamlab.broker import reset

    print(f"Emptied. {_kafka_line(reset(brokers=brokers))}")


@app.command()
def topics(
    create: Annotated[bool, typer.Option("--create", help="Create the store's topics.")] = False,
    json: Json = False,
) -> None:
    """List the topics: partitions, and how many records they hold."""
    from steamlab import topics as topics_module

    kafka = _running()
    if create:
        topics_module.create(kafka, topics_module.ALL_TOPICS)
    rows = _topic_rows(kafka)
    if json:
        print(json_text.dumps(rows))
    else:
        _print_table(rows)


@app.command()
def simulate(
    scale: Annotated[
        float, typer.Option(help="The store's size; 1 is 1,000 views a minute.")
    ] = 0.01,
    speed: Annotated[float, typer.Option(help="Store seconds a second; 0: flat out.")] = 1440.0,
    days: Annotated[float, typer.Option(help="Store days to play.")] = 7.0,
    seed: Seed = 7,
    start: Annotated[str, typer.Option(help="The store's first instant.")] = "2025-11-17T00:00:00Z",
    largest: Annotated[
        float | None, typer.Option(help="How far the scale may be raised while it runs.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a JSONL file instead, `-` for stdout; no Kafka.")
    ] = None,
) -> None:
    """Let the store's shoppers send events into Kafka; keys change speed and scale."""
    from steamlab.replay.simulate import simulate

    kafka = None if out else _running()
    simulate(
        kafka,
        scale=scale,
        speed=speed,
        days=days,
        seed=seed,
        start=start,
        largest=largest,
        out=out,
    )


@app.command()
def watch(
    topic: Annotated[list[str], typer.Argument(help="Topics to print.", show_default=False)],
    until: Annotated[int | None, typer.Option(help="End after this many records.")] = None,
    timeout: Annotated[float | None, typer.Option(help="End after this many seconds.")] = None,
    new: Annotated[bool, typer.Option("--new", help="Only what arrives from now on.")] = False,
    json: Json = False,
) -> None:
    """Print events as they arrive; validate each, count and name the bad ones."""
    from steamlab.watch import watch

    start: Literal["beginning", "end"] = "end" if new else "beginning"
    watch(_running(), topic, until=until, json=json, start=start, timeout=timeout)


@app.command()
def progress(json: Json = False) -> None:
    """Tell which exercises are ok, and what is left of each lesson."""
    from steamlab.progress import progress

    found = progress()
    if json:
        print(json_text.dumps(found.as_dict()))
    else:
        _print_progress(found)


@app.command()
def metrics(
    file: Annotated[
        str, typer.Argument(help="A JSONL file of events, `-` for stdin.", show_default=False)
    ],
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what was true at this instant.")
    ] = None,
    json: Json = False,
) -> None:
    """Compute the sixteen metrics over a file of events, all at once; no Kafka."""
    from steamlab.metrics.printing import print_metrics

    print_metrics(file, at=at, json=json)


def main() -> None:
    """Run the command line; say an error in one line on stderr and exit with 1."""
    debug = "--debug" in sys.argv
    # it may stand after the verb too, where one adds it to a command that has failed
    sys.argv[1:] = [word for word in sys.argv[1:] if word != "--debug"]
    try:
        app(prog_name="steamlab")
    except LabError as error:
        if debug:
            raise
        print(f"steamlab: {error}", file=sys.stderr)
        sys.exit(1)


def _running() -> dict[str, Any]:
    """Return the settings of the running Kafka's clients; start it where there is none."""
    from steamlab.broker import up
    from steamlab.client import client_config

    return client_config(up().bootstrap)


def _kafka_line(kafka: Kafka) -> str:
    brokers = "1 broker" if kafka.brokers == 1 else f"{kafka.brokers} brokers"
    return f"Kafka answers at {kafka.bootstrap} ({brokers}, {kafka.origin})."


def _status_lines(found: Status) -> Iterator[str]:
    if found.kafka:
        yield _kafka_line(found.kafka)
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


def _topic_rows(kafka: dict[str, Any]) -> list[dict[str, Any]]:
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


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("topic", box=None)
    for name in ("partitions", "records"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(escape(row["topic"]), str(row["partitions"]), f"{row['records']:,}")
    Console().print(table if rows else "There are no topics yet: `steamlab topics --create`.")


def _print_progress(found: Progress) -> None:
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


if __name__ == "__main__":
    main()
