"""The options that several verbs of the command line have in common, and the ranges of numbers."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Any

import typer

__all__ = ["Days", "Json", "MetricChapter", "Prefix", "Scale", "Seed", "Speed", "number", "seconds"]


class MetricChapter(StrEnum):
    """The four chapters of the sixteen metrics."""

    SALES = "sales"
    FUNNEL = "funnel"
    PRODUCTS = "products"
    SHOPPERS = "shoppers"


def number(text: str, *, least: float, most: float | None = None) -> Any:
    """Return an option that takes a number of a range; never one that is not finite."""
    return typer.Option(min=least, max=most, callback=_finite, help=text)


def seconds(text: str) -> Any:
    """Return an option that takes a time to wait: more than none."""
    return number(text, least=0.001)


def _finite(value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"Expected a finite number, and it is {value}.")
    return value


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for another program.")]
Prefix = Annotated[str, typer.Option(help="What all topics' names begin with, such as `19.`.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same events.")]
Scale = Annotated[float, typer.Option(help="The store's size; 1 is 1,000 views a minute.")]
Speed = Annotated[float, typer.Option(help="Store seconds a second; 0: flat out.")]
Days = Annotated[float, typer.Option(help="Store days to play.")]
