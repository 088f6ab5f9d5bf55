"""The four chapters of the sixteen metrics: what the second stage's work is shared out by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from steamlab.processor.families import FAMILY
from steamlab.processor.published import PUBLISHED, Published
from steamlab.processor.rankings import RANKINGS, Ranking

__all__ = ["CHAPTERS", "CHAPTER_OF", "GROUP_OF", "Chapter", "chapters_of"]


@dataclass(frozen=True)
class Chapter:
    """Metrics that are made of the same families of cells; no family belongs to two chapters.

    `facts` are those that must be kept for it: "recent", "pairs", "carts".
    """

    name: str
    facts: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()
    rankings: tuple[Ranking, ...] = ()

    @property
    def families(self) -> tuple[str, ...]:
        """The names of the chapter's families, each once."""
        metrics: list[Published | Ranking] = [*self.published, *self.rankings]
        return tuple(dict.fromkeys(name for metric in metrics for name in metric.families))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the chapter's metrics, in the order of `steamlab metrics`."""
        metrics: list[Published | Ranking] = [*self.published, *self.rankings]
        return tuple(metric.name for metric in metrics)


def _published(*names: str) -> tuple[Published, ...]:
    return tuple(metric for metric in PUBLISHED if metric.name in names)


CHAPTERS = (
    Chapter("sales", (), _published("revenue_per_minute", "revenue_rolling", "sales_velocity",
                                    "average_order_value", "revenue_by_region")),
    Chapter("funnel", ("pairs",),
            _published("view_to_wishlist", "wishlist_to_cart", "cart_to_purchase",
                       "overall_conversion")),
    Chapter("products", ("recent",), rankings=RANKINGS),
    Chapter("shoppers", ("recent", "pairs", "carts"),
            _published("cart_abandonment", "search_effectiveness", "average_session_value",
                       "time_to_purchase")),
)  # fmt: skip
CHAPTER_OF = {
    family: number for number, chapter in enumerate(CHAPTERS) for family in chapter.families
}


def _groups() -> dict[str, tuple[str, ...]]:
    """Group the families of a chapter that have the same buckets, and are final together."""
    alike: defaultdict[tuple[Any, ...], list[str]] = defaultdict(list)
    for name, chapter in CHAPTER_OF.items():
        family = FAMILY[name]
        window = family.size, family.is_closed_right, family.horizon
        alike[chapter, family.topics, window].append(name)
    return {name: tuple(names) for names in alike.values() for name in names}


def chapters_of(names: Collection[str]) -> tuple[Chapter, ...]:
    """Return the chapters of these names, in order; without names all of them."""
    return tuple(chapter for chapter in CHAPTERS if not names or chapter.name in names)


GROUP_OF = _groups()
"""The group of each family, in order: what is told together, bucket by bucket."""
