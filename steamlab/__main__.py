"""The verbs of the command line: `steamlab up`, or `python -m steamlab up`."""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from steamlab.errors import LabError
from steamlab.options import Days, Json, MetricChapter, Prefix, Scale, Seed, Speed, number, seconds
from steamlab.printing import (
    kafka_line,
    print_progress,
    print_topics,
    status_lines,
    topic_rows,
)

# Every verb imports what it needs when it runs: `steamlab --help` answers at once.

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Learn Apache Kafka by running a game store on a real Kafka, on this computer.",
)

_TEN_YEARS_MIN = 10 * 366 * 24 * 60


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
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="JupyterLab's first choice of a port.")
    ] = 8888,
) -> None:
    """Start Kafka, open the course in JupyterLab; Ctrl-C ends JupyterLab."""
    from steamlab.launch.lab import lab

    lab(fresh=fresh or (), browser=browser, port=port)


@app.command()
def up(
    brokers: Annotated[
        int, typer.Option(min=1, max=3, help="How many brokers at least, from 1 to 3.")
    ] = 1,
    timeout: Annotated[float, seconds("Seconds to wait for Kafka.")] = 120,
) -> None:
    """Start Kafka, or find the one that runs."""
    from steamlab.broker import up

    print(kafka_line(up(brokers=brokers, timeout=timeout)))


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
    print(json_text.dumps(found.as_dict()) if json else "\n".join(status_lines(found)))


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
        int | None,
        typer.Option(min=1, max=3, help="How many brokers; as many as before, unless told."),
    ] = None,
) -> None:
    """End Kafka, delete its topics and data, start it empty."""
    from steamlab.broker import reset

    print(f"Emptied. {kafka_line(reset(brokers=brokers))}")


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
    rows = topic_rows(kafka)
    if json:
        print(json_text.dumps(rows))
    else:
        print_topics(rows)


@app.command()
def simulate(
    scale: Scale = 0.01,
    speed: Speed = 1440.0,
    days: Days = 7.0,
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
    until: Annotated[int | None, typer.Option(min=1, help="End after this many records.")] = None,
    timeout: Annotated[
        float | None,
        seconds("End after this many seconds; with --until, fail if it is not reached by then."),
    ] = None,
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
        print_progress(found)


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


@app.command()
def process(
    until: Annotated[
        int | None,
        typer.Option(min=1, help="End when so many events are processed; print the records."),
    ] = None,
    grace: Annotated[
        float,
        number(
            "Minutes of store time that an event may be late and still counts in its window.",
            least=0,
            most=_TEN_YEARS_MIN,
        ),
    ] = 5.0,
    idle: Annotated[
        float,
        number("Seconds without a record after which no window waits for a topic.", least=0),
    ] = 5.0,
    prefix: Prefix = "",
    timeout: Annotated[float | None, seconds("Seconds to wait for --until.")] = None,
    only: Annotated[
        list[MetricChapter] | None,
        typer.Option(help="Count only this chapter of the metrics; may be given more than once."),
    ] = None,
    json: Json = False,
) -> None:
    """Compute the sixteen metrics from the live stream into analytics.metrics, exactly once.

    It goes on where the last run ended: --grace and --only are for what comes from now on.
    """
    if timeout is not None and until is None:
        raise typer.BadParameter("--timeout is for --until: give both, or neither.")
    from steamlab.pipeline.process import process

    process(
        _running(),
        prefix=prefix,
        grace_s=grace * 60,
        idle_s=idle,
        until=until,
        timeout=timeout,
        json=json,
        only=only or (),
    )


@app.command()
def store(
    scale: Scale = 0.01,
    speed: Speed = 1440.0,
    days: Days = 7.0,
    seed: Seed = 7,
    prefix: Prefix = "",
) -> None:
    """Run the store: shoppers, the processor, and the sixteen metrics as they change."""
    from steamlab.pipeline.run_store import run_store

    run_store(_running(), scale=scale, speed=speed, days=days, seed=seed, prefix=prefix)


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


if __name__ == "__main__":
    main()
