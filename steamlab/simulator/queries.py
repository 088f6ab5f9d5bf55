"""What visitors type into the search box, and how many games the store finds for it."""

from __future__ import annotations

import functools
from typing import NamedTuple

from steamlab.catalog import Game, catalog

__all__ = ["HITS_PER_GAME", "Query", "first_miss", "queries"]

HITS_PER_GAME = 4
_WISHFUL = (
    "half-life 3", "gta 6", "portal 3", "bloodborne pc", "free skins", "wow classic",
    "mario kart", "silksong 2", "minecraft 2", "final fantasy 17",
)  # fmt: skip


class Query(NamedTuple):
    """A search: its text, the number of games found, the tags that filter it."""

    text: str
    results: int
    tags: tuple[str, ...]


@functools.cache
def queries() -> tuple[Query, ...]:
    """Return every query: four that lead to each game, game by game, then those without results."""
    games = catalog()
    finds = [query for game in games for query in _leading_to(game, games)]
    misses = [Query(text, 0, ()) for text in _WISHFUL]
    misses += [Query(_misspelt(game.game_name), 0, game.tags[:1]) for game in games[:40]]
    return (*finds, *misses)


def first_miss() -> int:
    """Return the index of the first query that finds nothing."""
    return HITS_PER_GAME * len(catalog())


def _leading_to(game: Game, games: tuple[Game, ...]) -> list[Query]:
    name, kind, tag, other = game.game_name.lower(), game.category, game.tags[0], game.tags[1]
    named = sum(name in each.game_name.lower() for each in games)
    tagged = sum(tag in each.tags for each in games)
    of_kind = sum(tag in each.tags and kind == each.category for each in games)
    both = sum({tag, other} <= set(each.tags) for each in games)
    return [
        Query(name, named, ()),
        Query(tag.replace("-", " "), tagged, ()),
        Query(f"{tag} {kind}".replace("-", " ").lower(), of_kind, (tag,)),
        Query(tag.replace("-", " "), both, (tag, other)),
    ]


def _misspelt(name: str) -> str:
    """Leave out the third letter, as hurried fingers do."""
    return (name[:2] + name[3:]).lower()
